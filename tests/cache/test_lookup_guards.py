"""How long the guards of lookup keys live, and what they remember: on a server, with a clock of the test's own."""

import time
from collections.abc import Callable

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddb_cache_sync.cache.applier import RedisCache
from ddb_cache_sync.cache.topology import Standalone
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.testing import MemoryCache

pytestmark = pytest.mark.servers

KEY = "by-email:x"
GUARD = guard_key(KEY)
TTL = 90_000
Say = Callable[..., object]


class Clock:
    """A clock that the test sets; the server's own goes on."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def say(redis_client: redis.Redis, clock: Clock) -> Say:
    """Give what says a word of an item and gives the outcome."""
    cache = RedisCache(Standalone(redis_client), guard_ttl_seconds=TTL, clock=clock)

    def said(item: str, number: int, value: bytes | None, *, ends: float | None = None) -> object:
        expires_at_ms = None if ends is None else int(ends * 1000)
        write = Write(KEY, GUARD, Version.of(1, str(number)), value, expires_at_ms=expires_at_ms, owner=item)
        return cache.apply([write])[0]

    return said


def test_the_guard_stays_as_long_as_somebody_claims(redis_client: redis.Redis, say: Say) -> None:
    """What is shown may have to be taken back years later."""
    say("users:1", 1, b"users:1")
    assert redis_client.ttl(GUARD) == -1
    say("users:2", 1, b"users:2")
    say("users:1", 2, None)
    assert redis_client.ttl(GUARD) == -1


def test_the_guard_of_a_released_key_lives_as_long_as_any_guard(redis_client: redis.Redis, say: Say) -> None:
    """It is the tombstone: no older claim may come back."""
    say("users:1", 1, b"users:1")
    say("users:1", 2, None)
    assert TTL - 5 <= redis_client.ttl(GUARD) <= TTL
    assert say("users:1", 1, b"users:1") is STALE


def test_the_guard_outlives_a_claim_that_expires(redis_client: redis.Redis, say: Say, clock: Clock) -> None:
    """By the time to live of guards."""
    say("users:1", 1, b"users:1", ends=clock.now + 1000)
    assert 990 <= redis_client.ttl(KEY) <= 1000
    assert TTL + 990 <= redis_client.ttl(GUARD) <= TTL + 1000
    say("users:1", 2, b"users:1")
    assert (redis_client.ttl(KEY), redis_client.ttl(GUARD)) == (-1, -1)


def test_a_release_is_forgotten_when_no_older_claim_can_come(redis_client: redis.Redis, say: Say, clock: Clock) -> None:
    """And not before."""
    say("users:0", 1, b"users:0")
    say("users:1", 2, None)
    clock.now += TTL - 1
    say("users:0", 2, b"users:0")
    assert say("users:1", 1, b"users:1") is STALE
    clock.now += 2
    say("users:0", 3, b"users:0")
    words = redis_client.hget(GUARD, "w")
    assert isinstance(words, bytes)
    assert b"users:1" not in words
    assert b"users:0" in words


def test_a_claim_is_never_forgotten(redis_client: redis.Redis, say: Say, clock: Clock) -> None:
    """However old it is, and whatever the item said before."""
    say("users:1", 1, None)
    say("users:1", 2, b"users:1")
    clock.now += 10 * TTL
    say("users:2", 1, b"users:2")
    say("users:2", 2, None)
    assert redis_client.get(KEY) == b"users:1"


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_claims_the_one_that_expires_last_is_shown(
    redis_client: redis.Redis, say: Say, clock: Clock, order: tuple[int, int]
) -> None:
    """So an item that is about to expire makes way for the one that takes its value, whichever comes first."""
    for item in order:
        if item == 1:
            say("users:1", 1000, b"users:1", ends=clock.now + 1000)
        else:
            say("users:2", 5, b"users:2")
    assert (redis_client.get(KEY), redis_client.ttl(KEY), redis_client.ttl(GUARD)) == (b"users:2", -1, -1)
    say("users:2", 6, None)
    assert redis_client.get(KEY) == b"users:1"
    assert 990 <= redis_client.ttl(KEY) <= 1000


def test_a_claim_that_has_expired_is_not_shown_again(redis_client: redis.Redis, say: Say, clock: Clock) -> None:
    """When the one that was shown instead is released."""
    say("users:1", 1, b"item 1", ends=clock.now + 1)
    say("users:2", 5, b"item 2")
    clock.now += 2
    say("users:2", 6, None)
    assert redis_client.get(KEY) is None
    assert 0 < redis_client.ttl(GUARD) <= TTL


def test_the_value_of_a_claim_that_is_not_shown_is_kept_for_later(redis_client: redis.Redis, say: Say) -> None:
    """An item's own name is not: it is known."""
    say("users:1", 1, b"item 1")
    say("users:2", 2, b"item 2")
    say("users:3", 3, b"users:3")
    assert {*redis_client.hkeys(GUARD)} == {b"w", b"v:users:1", b"v:users:2"}
    say("users:3", 4, None)
    assert redis_client.get(KEY) == b"item 2"
    say("users:1", 5, None)
    say("users:2", 6, None)
    assert redis_client.get(KEY) is None
    assert redis_client.hkeys(GUARD) == [b"w"]


def test_the_same_word_again_puts_right_what_was_left_half_done(redis_client: redis.Redis, say: Say) -> None:
    """A script that stopped after it had set the words."""
    say("users:1", 1, b"item 1")
    say("users:2", 2, b"item 2")
    redis_client.set(KEY, b"item 1")
    assert say("users:2", 2, b"item 2") is APPLIED
    assert redis_client.get(KEY) == b"item 2"
    say("users:2", 3, None)
    assert redis_client.get(KEY) == b"item 1"


words = st.tuples(
    st.sampled_from(["users:1", "users:2", "users:3"]),
    st.integers(1, 6),  # its version
    st.none() | st.sampled_from([b"a", b"b", b"users:1", b"users:2"]),
    st.none() | st.integers(0, 12),  # when it ends, thousands of seconds from the beginning
    st.sampled_from([0, 0, 1, 3]),  # how long it took to come
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, max_size=12))
def test_the_script_shows_what_the_model_shows(
    redis_client: redis.Redis, said: list[tuple[str, int, bytes | None, int | None, int]]
) -> None:
    """After every word, whatever was said before."""
    redis_client.flushall()
    clock = Clock()
    clock.now = start = time.time() + 10**6  # ahead of the server's, which so lets nothing expire by itself
    model, cache = MemoryCache(), RedisCache(Standalone(redis_client), guard_ttl_seconds=TTL, clock=clock)
    for item, number, value, ends, pause in said:
        clock.now += 1000 * pause
        model.expire(clock.now)
        expires_at_ms = None if ends is None or value is None else int((start + 1000 * ends) * 1000)
        write = Write(KEY, GUARD, Version.of(1, str(number)), value, expires_at_ms=expires_at_ms, owner=item)
        outcome = cache.apply([write])
        assert outcome == model.apply([write])
        if outcome == [APPLIED]:
            assert redis_client.get(KEY) == model.values.get(KEY)


def test_a_key_may_be_passed_on_by_many(say: Say) -> None:
    """Sixty-four may claim it at once, and far more may have had it within the guard's time to live."""
    for number in range(300):
        assert say(f"users:{number}", 1, b"v") is APPLIED
        assert say(f"users:{number}", 2, None) is APPLIED
