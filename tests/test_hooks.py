"""Hooks: what is called with the report of each batch."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from ddb_cache_sync import ApplyReport, CacheUnavailable, ConfigurationError, Replicator
from ddb_cache_sync.testing import MemoryCache, stream_record

ONE = [stream_record({"id": "a"}, {"id": "a"})]


class Broken:
    """A hook that fails, with a text that must not be repeated."""

    def __call__(self, report: ApplyReport) -> None:
        """Fail."""
        raise ValueError("SECRET")


def test_a_hook_gets_the_report_that_apply_returns() -> None:
    """One for each batch."""
    told: list[ApplyReport] = []
    replicator = Replicator(MemoryCache(), on_report=told.append)
    assert [replicator.apply(ONE), replicator.apply([])] == told
    assert [report.records for report in told] == [1, 0]


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_hooks_are_called_in_order(kind: Callable[[list[Any]], Any]) -> None:
    """With the same report."""
    told: list[tuple[str, ApplyReport]] = []
    hooks = kind([lambda report: told.append(("first", report)), lambda report: told.append(("second", report))])
    report = Replicator(MemoryCache(), on_report=hooks).apply(ONE)
    assert told == [("first", report), ("second", report)]


def test_a_list_that_changes_later_changes_nothing() -> None:
    """The hooks are those that were given."""
    told: list[ApplyReport] = []
    hooks = [told.append]
    replicator = Replicator(MemoryCache(), on_report=hooks)
    hooks.clear()
    replicator.apply(ONE)
    assert len(told) == 1


def test_a_hook_that_fails_fails_neither_the_batch_nor_the_next_hook(caplog: pytest.LogCaptureFixture) -> None:
    """Its batch was applied: raising would make Lambda deliver it again. Type names alone are logged."""
    cache, told = MemoryCache(), list[ApplyReport]()

    def by_name(report: ApplyReport) -> None:
        raise KeyError("SECRET")

    report = Replicator(cache, on_report=[Broken(), by_name, told.append]).apply(ONE)
    assert (report.applied, told, list(cache.values)) == (1, [report], ["T:a"])
    [first, second] = caplog.records
    assert (first.levelno, first.name) == (logging.ERROR, "ddb_cache_sync")
    assert first.getMessage() == "the report hook Broken raised ValueError"
    assert second.getMessage().endswith("by_name raised KeyError")
    assert "SECRET" not in caplog.text


def test_a_hook_may_stop_the_program() -> None:
    """Ctrl-C is no failure of the hook."""

    def interrupted(report: ApplyReport) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Replicator(MemoryCache(), on_report=interrupted).apply(ONE)


def test_a_batch_that_raises_has_no_report() -> None:
    """It comes again, and is counted then."""
    told: list[ApplyReport] = []
    with pytest.raises(CacheUnavailable):
        Replicator(MemoryCache(break_after=0), on_report=told.append).apply(ONE)
    assert told == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (7, "on_report is a int"),
        ("print", "on_report has a str in it"),
        ([print, None], "on_report has a NoneType in it"),
    ],
)
def test_what_can_not_be_called_is_refused_at_once(given: Any, problem: str) -> None:
    """And not with the first batch."""
    with pytest.raises(ConfigurationError, match=f"^{problem}. Give a callable"):
        Replicator(MemoryCache(), on_report=given)


def test_a_report_tells_how_long_the_batch_took() -> None:
    """By a clock of its own that is never set back, read at the beginning and when the cache has answered."""
    times = iter([100.0, 100.25])
    report = Replicator(MemoryCache(), clock=lambda: 0.0, monotonic=lambda: next(times)).apply(ONE)
    assert report.duration_seconds == 0.25
    assert ApplyReport().duration_seconds is None
