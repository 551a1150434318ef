"""`python -m tests.soak`: the pipeline over a real cluster, round after round, with faults all the time.

Exit code 0: no key diverged; 1: one did, or the run broke off.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import random
import sys
import threading
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipeline_faults.pipeline import Pipeline
from tests.pipeline_faults.plans import drawn_plan
from tests.pipeline_faults.rig import DivergentError
from tests.pipeline_faults.servers import CONFIG
from tests.soak.figures import Figures, Sample, added
from tests.soak.memory import client_mb, prepare, tidied
from tests.soak.plot import svg

from ddb_cache_sync.local.embedded import embedded_cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddb_cache_sync.local.embedded import EmbeddedCluster

_SAMPLE_SECONDS = 60.0


class Recorder:
    """Samples a running pipeline every minute, and writes what it has come to.

    Args:
        figures: Those of earlier parts of the same run; added to.
        pipeline: What runs.
        path: Where to. None: nowhere.
    """

    def __init__(self, figures: Figures, pipeline: Pipeline, path: Path | None) -> None:
        self.figures = figures
        self._before = replace(figures)
        self._pipeline = pipeline
        self._path = path
        self._began = time.monotonic()
        self._applied = pipeline.rig.servers.applied()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample."""
        self._stop.set()
        self._thread.join()
        self.sample()

    def count(self) -> None:
        """Bring the figures up to date."""
        now, before, rig = self.figures, self._before, self._pipeline.rig
        done = self._pipeline.outcome
        now.seconds = round(before.seconds + time.monotonic() - self._began, 1)
        now.applies = before.applies + rig.servers.applied() - self._applied
        now.changes = before.changes + rig.items.changes - rig.items.count
        now.records = before.records + done.records
        now.invocations = before.invocations + done.invocations
        now.failed_invocations = before.failed_invocations + done.failed_invocations
        now.compared = before.compared + done.compared
        now.lost = before.lost + done.lost
        now.faults = added(before.faults, rig.counts.as_json())

    def sample(self) -> None:
        """Take a sample, and write."""
        self.count()
        now = self.figures
        memory = round(client_mb(), 1), round(self._pipeline.rig.servers.memory_mb(), 1)
        now.samples.append(Sample(now.seconds, now.applies, now.changes, now.struck, *memory))
        if self._path is not None:
            now.write(self._path)
        text = f"{now.seconds / 60:.1f} min, {now.rounds} rounds, {now.applies:,} applies ({now.rate:,.0f}/s), "
        print(
            text + f"{now.struck:,} faults, {now.lost} lost and healed, {memory[0]:.0f} MB", file=sys.stderr, flush=True
        )

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            try:
                self.sample()
            except Exception as error:  # noqa: BLE001 - a server that stands still now; the next sample will do
                print(f"no sample: {type(error).__name__}", file=sys.stderr, flush=True)


def soak(cluster: EmbeddedCluster, figures: Figures, *, minutes: float, applies: int, path: Path | None) -> None:
    """Run rounds until the time is over, or so much has been applied, or a key diverges.

    Args:
        cluster: An empty one, with `servers.CONFIG`.
        figures: Added to.
        minutes: The last round is run to its end.
        applies: Guarded applies, those of earlier parts of the run included.
        path: Where the figures are written to. None: nowhere.
    """
    ends = time.monotonic() + 60 * minutes
    figures.complete = False
    pipeline = Pipeline(cluster, figures.keys, figures.seed)
    recorder = Recorder(figures, pipeline, path)
    recorder.start()
    try:
        pipeline.fill()
        while time.monotonic() < ends and figures.applies < applies:
            number = figures.rounds + 1
            pipeline.run(number, drawn_plan(figures.seed, number, figures.records_per_round))
            figures.rounds = number
            recorder.count()
            figures.held.append(tidied())
        figures.complete = True
    except DivergentError as error:
        figures.divergent += 1
        figures.problem = str(error)
    except Exception as error:
        figures.problem = f"round {figures.rounds + 1}: {type(error).__name__}: {error}"
        raise
    finally:
        recorder.stop()
        pipeline.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; the last round is run to its end")
    parser.add_argument("--applies", type=int, default=sys.maxsize, help="end after so many guarded applies")
    parser.add_argument("--seed", default="", help="replays the schedule of a run")
    parser.add_argument("--keys", type=int, default=60_000, help="how many items the table has")
    parser.add_argument("--records", type=int, default=300_000, help="how many changes a round has, at least")
    parser.add_argument("--first-round", type=int, default=1, help="begin the schedule with this round")
    parser.add_argument("--json", type=Path, help="write the figures here, every minute")
    parser.add_argument("--plot", type=Path, help="draw the run here, as SVG, in the end")
    parser.add_argument("--resume", action="store_true", help="go on with the run of --json, on a new cluster")
    chosen = parser.parse_args(arguments)
    if chosen.resume and chosen.json is not None and chosen.json.exists():
        figures = Figures.read(chosen.json)
        if figures.divergent:
            parser.error("that run has ended with a divergent key")
        figures.problem = ""
    else:
        figures = Figures(chosen.seed or f"{random.SystemRandom().getrandbits(48):x}", chosen.keys, chosen.records)
        figures.started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        figures.machine = {"cores": str(os.cpu_count()), "python": platform.python_version()}
        figures.rounds = chosen.first_round - 1
    print(f"seed {figures.seed}, from round {figures.rounds + 1}", file=sys.stderr, flush=True)
    try:
        with embedded_cluster(3, 3, config=CONFIG) as cluster:
            soak(cluster, figures, minutes=chosen.minutes, applies=chosen.applies, path=chosen.json)
    finally:
        if chosen.plot is not None:
            chosen.plot.write_text(svg(figures), encoding="utf-8")
    summary = asdict(figures)
    del summary["samples"]
    for name, value in summary.items():
        print(f"{name}: {value}")
    return 1 if figures.divergent or figures.problem else 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # retries by the thousand
    prepare()
    sys.exit(main())
