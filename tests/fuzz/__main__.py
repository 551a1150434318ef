"""`python -m tests.fuzz`: made-up input of every kind, by the million.

A defect is an error that is not documented, a wrong value (boto3's deserializer being the oracle), an input that takes
more than ten seconds, or memory above the limit. Exit code 0: none was found; 1: some were, and how to see each again.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.targets import TARGETS
from tests.soak.memory import client_mb

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_SECONDS: Final = 10.0
_MOST_BYTES: Final = 4 * 2**30  # of address space
_MOST_SHOWN: Final = 20


def chance_of(seed: str, target: str, number: int) -> random.Random:
    """What makes this input, and always the same."""
    return random.Random(f"{seed}:{target}:{number}")


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {_MOST_SECONDS:g} s")


class Run:
    """One run of the fuzzer.

    Args:
        seed: Makes the same inputs.
        only: The targets. Empty: all.
        timed: Whether to break off an input that takes too long, by an alarm; only one program can have that.
    """

    def __init__(self, seed: str, only: Sequence[str] = (), *, timed: bool = False) -> None:
        self.seed = seed
        self._patience = _MOST_SECONDS if timed else 0.0
        self.inputs: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.defects: list[str] = []
        self._names = [name for name in TARGETS if not only or name in only]

    def one(self, number: int) -> None:
        """Feed one input to a target."""
        [name] = random.Random(number).choices(self._names, [TARGETS[name][1] for name in self._names])
        self.feed(name, number)

    def feed(self, name: str, number: int) -> None:
        """Feed the input of this number."""
        target, _ = TARGETS[name]
        self._alarm(self._patience)
        began = time.perf_counter()
        try:
            target(chance_of(self.seed, name, number))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it should not have come out
            self._found(name, number, error)
        finally:
            self._alarm(0.0)
        took = time.perf_counter() - began
        self.inputs[name] += 1
        self.seconds[name] += took  # type: ignore[assignment]  # a Counter of float adds as well
        self.slowest[name] = max(took, self.slowest.get(name, 0.0))

    def _alarm(self, seconds: float) -> None:
        if self._patience:
            signal.setitimer(signal.ITIMER_REAL, seconds)

    def _found(self, name: str, number: int, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        self.defects.append(f"{name}:{number} {type(error).__name__} at {place}: {str(error)[:200]!r}")
        if len(self.defects) <= _MOST_SHOWN:
            print(self.defects[-1], file=sys.stderr, flush=True)

    def figures(self, started: float) -> dict[str, Any]:
        """What it came to."""
        return {
            "seed": self.seed,
            "inputs": sum(self.inputs.values()),
            "seconds": round(time.monotonic() - started, 1),
            "defects": len(self.defects),
            "largest_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "targets": {
                name: {
                    "inputs": self.inputs[name],
                    "mean_us": round(1e6 * self.seconds[name] / self.inputs[name]),
                    "slowest_ms": round(1e3 * self.slowest[name], 1),
                }
                for name in self._names
                if self.inputs[name]
            },
        }


def main(arguments: Sequence[str] | None = None, *, limited: bool = False) -> int:
    """Run it.

    Args:
        arguments: Those of the command line. None: this program's.
        limited: Whether to limit memory and time, which is for a program of its own.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="how many")
    parser.add_argument("--seed", default="1", help="makes the same inputs")
    parser.add_argument("--only", action="append", default=[], choices=[*TARGETS], help="this target; repeatable")
    parser.add_argument("--again", metavar="TARGET:NUMBER", help="feed one input once more, and let its error out")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args(arguments)
    if chosen.again:
        name, _, number = chosen.again.partition(":")
        TARGETS[name][0](chance_of(chosen.seed, name, int(number)))
        return 0
    if limited:
        logging.disable(logging.CRITICAL)
        signal.signal(signal.SIGALRM, _too_long)
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    run, started = Run(chosen.seed, chosen.only, timed=limited), time.monotonic()
    warm = 0.0
    for number in range(chosen.inputs):
        run.one(number)
        if number == chosen.inputs // 10:
            warm = client_mb()
    figures = run.figures(started) | {"grown_mb": round(client_mb() - warm, 1)}
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))
    return 1 if run.defects else 0


if __name__ == "__main__":
    sys.exit(main(limited=True))
