"""Samples on a schedule: what they find is remembered, and ages, until it has gone."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.sync.test_verify import Pair

from ddb_cache_sync import CacheError, KeyTemplate, LookupKey, Projection
from ddb_cache_sync.sync.sampling import MOST_REMEMBERED, SampleReport, verify_sample
from ddb_cache_sync.sync.verify import VerifyOptions
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = "~v:~drift:{users}"


class Schedule(Pair):
    """A table, its cache, and a clock by which samples are taken."""

    now = 1_000_000.0

    def sample(self, after: float = 0, items: int = 10_000) -> SampleReport:
        """Take a sample, so many seconds after the last one."""
        self.now += after
        client = cast("Any", self.client)
        options = VerifyOptions(sample=items, looks=(0.01, 0.02))
        chance = random.Random(int(self.now))
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        return verify_sample(
            self.cache, self.router, client, "users", options, clock=clock, sleep=self.wait, chance=chance
        )


def test_where_there_is_no_drift_nothing_is_remembered() -> None:
    """And the age is zero."""
    schedule = Schedule(items=20)
    sample = schedule.sample()
    assert (sample.known, sample.oldest_seconds, sample.verified.keys) == ((), 0.0, 20)
    assert MEMORY not in schedule.cache.values


def test_a_drift_ages_until_it_has_gone_whatever_the_samples_are() -> None:
    """It is looked at in each run; the share is that of the sample alone."""
    schedule = Schedule(items=200)
    del schedule.cache.values["users:1"]
    assert schedule.sample().oldest_seconds == 0
    later = [schedule.sample(3600, items=1) for _ in range(5)]
    assert [each.oldest_seconds for each in later] == [3600, 7200, 10800, 14400, 18000]
    assert [len(each.known or ()) for each in later] == [1] * 5
    assert any(each.verified.drift == 0 for each in later)
    schedule.cache.values["users:2"] = b"spoilt"
    both = schedule.sample(60)
    assert [each.key for each in both.known or ()] == ["users:1", "users:2"]
    schedule.cache.values["users:1"] = b'{"id":"1","name":"name 1"}'
    mended = schedule.sample(60)
    assert ([each.key for each in mended.known or ()], mended.oldest_seconds) == (["users:2"], 60)
    schedule.put("2", name="again")
    assert schedule.sample(60).known == ()
    assert b"users" not in schedule.cache.values[MEMORY]


def test_a_change_that_was_applied_since_ends_a_drift() -> None:
    """What differs now is another one, which begins now."""
    schedule = Schedule(items=3)
    schedule.client.put("1", name="lost")
    assert schedule.sample().oldest_seconds == 0
    schedule.put("1", name="applied")
    schedule.client.put("1", name="lost again")
    assert schedule.sample(3600).oldest_seconds == 0
    assert schedule.sample(3600).oldest_seconds == 3600


def test_a_guard_that_has_expired_since_ends_none() -> None:
    """Nothing was applied."""
    schedule = Schedule(items=3)
    schedule.client.put("1", name="lost")
    schedule.sample()
    schedule.cache.guards.clear()
    assert schedule.sample(90_000).oldest_seconds == 90_000


def test_orphans_and_lookup_keys_are_remembered_too() -> None:
    """Until they are gone."""
    schedule = Schedule(Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-name:{name}")]), items=5)
    schedule.cache.values["users:nobody"] = b"{}"
    schedule.cache.values["users:by-name:name 1"] = b"users:2"
    schedule.sample()
    assert schedule.sample(60).oldest_seconds == 60
    del schedule.cache.values["users:nobody"]
    assert [each.key for each in schedule.sample(60).known or ()] == ["users:by-name:name 1"]
    schedule.cache.values["users:by-name:name 1"] = b"users:1"
    assert schedule.sample(60).known == ()


def test_what_is_remembered_is_bounded_and_holds_no_contents() -> None:
    """The oldest are kept."""
    schedule = Schedule(items=0)
    for number in range(MOST_REMEMBERED + 50):
        schedule.client.put(str(number), name="SECRET")
    sample = schedule.sample()
    assert (len(sample.known or ()), sample.verified.drift) == (MOST_REMEMBERED, MOST_REMEMBERED + 50)
    assert b"SECRET" not in schedule.cache.values[MEMORY]


@pytest.mark.parametrize("held", [b"", b"{}", b"[1]", b'[{"key":"users:1"}]', {"a": b"hash"}])
def test_what_somebody_else_wrote_there_is_passed_over(held: Any) -> None:
    """And replaced with the next drift."""
    schedule = Schedule(items=2)
    schedule.cache.values[MEMORY] = held
    assert schedule.sample().known == ()


def test_a_cache_that_may_not_be_written_to_is_compared_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The age is not known then, which the log says."""

    def refuse(*_: Any, **__: Any) -> None:
        raise CacheError("NOPERM")

    monkeypatch.setattr(MemoryCache, "remember", refuse)
    schedule = Schedule(items=2)
    assert schedule.sample().oldest_seconds == 0
    del schedule.cache.values["users:1"]
    with caplog.at_level(logging.WARNING):
        sample = schedule.sample()
    assert (sample.known, sample.oldest_seconds, sample.verified.missing) == (None, None, 1)
    assert caplog.messages == ["drift can't be remembered: NOPERM"]
