"""What goes on beside the stream: guards that expire, a backfill, redrives."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from tests.pipeline_faults.items import NAME, PROJECTION, ItemsClient
from tests.pipeline_faults.kinds import Kind
from tests.pipeline_faults.redriving import LATE_SECONDS, give_up, left, redrive
from tests.pipeline_faults.rig import DivergentError

from ddb_cache_sync import BackfillOptions, prepare_backfill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.pipeline_faults.rig import Rig

    from ddb_cache_sync.sync.redrive import RedriveReport


def expire_guards(rig: Rig, keys: Sequence[int]) -> None:
    """Let the guards of these keys go, and the values of a third of them; they change more often then."""
    rig.counts.add(Kind.GUARD_EXPIRY, rig.checker.forget_guards(keys, keys[: len(keys) // 3]))
    rig.items.busy, rig.items.busy_share = keys, 0.1


def backfill(rig: Rig, keys: Sequence[int], is_going_on: Callable[[], bool]) -> None:
    """Fill in these items, each page held back until some of them have changed.

    Args:
        rig: The pipeline.
        keys: What to fill in.
        is_going_on: Whether items still change.

    Raises:
        DivergentError: Some could not be filled in.
    """
    raced = 0

    def hold(page: Sequence[int], read_at: int) -> None:
        nonlocal raced
        until = time.monotonic() + 5
        while rig.items.changes < read_at + 10 * len(page) and is_going_on() and time.monotonic() < until:
            time.sleep(0.002)
        raced += sum(rig.items.changed_since(key, read_at) for key in page)

    client: Any = ItemsClient(rig.items, sorted(keys), page=500, hold=hold)
    with rig.environments.one() as environment:
        report = prepare_backfill(environment.client, PROJECTION, client, NAME, BackfillOptions(segments=2)).run()
    if report.failed:
        raise DivergentError(f"the backfill failed for {report.failed} items: {report.problems[0]}")
    if report.guarded:
        rig.counts.add(Kind.BACKFILL_RACE, raced)


def redrive_late(rig: Rig, old: Sequence[bytes], newest_arn: str) -> None:
    """Redrive batches that are older than guards live.

    Raises:
        DivergentError: One of their records was trusted.
    """
    with tempfile.TemporaryDirectory(prefix="old-") as name:
        folder = Path(name)
        for number, records in enumerate(map(orjson.loads, old)):
            give_up(folder, str(number), records)
        for arn in _arns(folder):
            report = _redriven(rig, folder, arn, newest_arn, LATE_SECONDS)
            rig.counts.add(Kind.READ_AGAIN, report.read_again)
            if report.applied or report.stale:
                raise DivergentError("a redrive trusted records that are older than guards live")


def redrive_given_up(rig: Rig, folder: Path, newest_arn: str) -> None:
    """Bring back what was given up; what can't be decoded stays.

    Raises:
        DivergentError: Something else stayed.
    """
    batches = len(left(folder))
    for arn in _arns(folder):
        _redriven(rig, folder, arn, newest_arn)
    if not all(any(_is_poison(record) for record in batch) for batch in left(folder)):
        raise DivergentError("a redrive left a batch without a poison record")
    rig.counts.add(Kind.GIVEN_UP, batches)


def _redriven(rig: Rig, folder: Path, arn: str, newest_arn: str, late_seconds: float = 0.0) -> RedriveReport:
    with rig.environments.one() as environment:
        return redrive(folder, environment.client, rig.items, arn, newest_arn=newest_arn, late_seconds=late_seconds)


def _arns(folder: Path) -> Sequence[str]:
    """The streams that the batches are of."""
    return sorted({batch[0]["eventSourceARN"] for batch in left(folder)})


def _is_poison(record: Any) -> bool:
    return not record["dynamodb"]["Keys"]["id"]["S"].isdigit()
