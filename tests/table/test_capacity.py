import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import ConfigurationError
from ddb_cache_sync.table.capacity import CapacityLimiter


class Clock:
    """Goes on only while somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


def limiter_of(clock: Clock, rate: float) -> CapacityLimiter:
    return CapacityLimiter(rate, monotonic=clock.monotonic, sleep=clock.sleep)


def read(limiter: CapacityLimiter, units: float, items: int = 0) -> None:
    limiter.settle(limiter.reserve(), units=units, items=items)


def test_pages_are_as_far_apart_as_they_cost(clock: Clock) -> None:
    """The first comes at once, and a second's worth is free after a pause."""
    limiter = limiter_of(clock, 100)
    for _ in range(5):
        read(limiter, 50)
    assert clock.slept == [0.5, 0.5]
    clock.now += 3600
    clock.slept.clear()
    for _ in range(5):
        read(limiter, 50)
    assert sum(clock.slept) == pytest.approx(1.0)


def test_a_page_larger_than_a_seconds_worth_is_read_and_paid_for_afterwards(clock: Clock) -> None:
    """A page of 1 MB takes 256 units, however low the rate is."""
    limiter = limiter_of(clock, 10)
    read(limiter, 256)
    assert clock.slept == []
    read(limiter, 256)
    assert clock.slept == [pytest.approx(24.6)]


def test_items_can_be_counted_instead(clock: Clock) -> None:
    """What units a page took is no matter then."""
    limiter = CapacityLimiter.of_items(10, monotonic=clock.monotonic, sleep=clock.sleep)
    read(limiter, 0.5, items=20)
    read(limiter, 0.5, items=20)
    assert clock.slept == [pytest.approx(1.0)]


def test_readers_that_share_it_wait_for_each_others_pages(clock: Clock) -> None:
    """Those that begin together begin a second apart, until a page has told what it cost."""
    limiter = limiter_of(clock, 100)
    started = []
    for _ in range(4):
        limiter.reserve()
        started.append(clock.now - 1000)
    assert started == [0, 0, pytest.approx(1), pytest.approx(2)]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_above_zero(rate: float) -> None:
    """Or nothing would ever be read."""
    with pytest.raises(ConfigurationError, match="not above zero"):
        CapacityLimiter(rate)


@given(
    st.floats(0.5, 10_000),
    st.lists(st.tuples(st.floats(0, 300), st.floats(0, 5)), min_size=1, max_size=50),
)
def test_no_more_than_the_rate_is_read_over_any_longer_time(rate: float, pages: list[tuple[float, float]]) -> None:
    """Beyond a second's worth, and the page that is just being read."""
    clock = Clock()
    limiter = limiter_of(clock, rate)
    spent = 0.0
    for units, pause in pages:
        reserved = limiter.reserve()
        assert spent <= rate * (clock.now - 1000) + rate + 1e-6
        spent += units
        limiter.settle(reserved, units=units, items=1)
        clock.now += pause
    assert all(seconds > 0 for seconds in clock.slept)
