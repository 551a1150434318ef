"""Cold start: what importing the library costs beyond the packages it can't do without."""

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.results import Contender, Figure, Result, Spread, Target
from benchmarks.workbench import Workbench

OURS = "ddb_cache_sync"
BASE = "redis, pydantic, orjson"
UNWANTED = ("boto3", "botocore", "typer", "rich", "ddb_cache_sync.local", "ddb_cache_sync.cli")
TARGET = Target(1.25, "at most")

_PROGRAM = """
import json, sys, time
started = time.perf_counter()
import {modules}
print(json.dumps([time.perf_counter() - started, [name for name in {unwanted} if name in sys.modules]]))
"""


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn, each time in a fresh interpreter."""
    rounds = bench.scale.rounds
    ours: list[float] = []
    base: list[float] = []
    unwanted: set[str] = set()
    for number in range(-1, rounds):  # the first one writes bytecode and fills the file cache
        pair = {}
        for modules in (OURS, BASE) if number % 2 else (BASE, OURS):
            pair[modules], loaded = _import(modules)
            if modules == OURS:
                unwanted |= set(loaded)
        if number >= 0:
            ours.append(pair[OURS] * 1e3)
            base.append(pair[BASE] * 1e3)
    loaded_too = ", ".join(sorted(unwanted))
    yield Figure(
        "import",
        "cold start: import, against importing redis, pydantic, orjson",
        TARGET,
        Spread.of([own / other for own, other in zip(ours, base, strict=True)]),
        contenders=(
            Contender(f"import {OURS}", Spread.of(ours), "ms"),
            Contender(f"import {BASE}", Spread.of(base), "ms"),
        ),
        notes=(
            f"LOADED, and should not be: {loaded_too}" if loaded_too else "Not loaded: " + ", ".join(UNWANTED) + ".",
        ),
    )


def _import(modules: str) -> tuple[float, list[str]]:
    """Seconds that the import takes in a fresh interpreter, and what it loads that it should not."""
    program = _PROGRAM.format(modules=modules, unwanted=repr(UNWANTED))
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    took, loaded = json.loads(answer.stdout)
    return took, loaded
