"""Memory of the largest event: 6 MB and 10,000 records, the most that Lambda delivers at once.

Two measures, since each misses something, and the worse one counts: `tracemalloc` sees each allocation of Python
exactly and none of C libraries; the resident set sees all that the process really takes, in pages, with what earlier
work left free to be used again. Each is taken in a process of its own.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Contender, Figure, Result, Spread, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import workload

EVENT_BYTES = 6 << 20
TARGET = Target(1.5, "at most")
_MEASURES = {"tracemalloc": "Python allocations", "rss": "resident set"}


def run(bench: Workbench) -> Iterator[Result]:
    """Each measure once: they hardly change from run to run."""
    payload = _payload(bench.scale.large_event_records)
    measures = [name for name in _MEASURES if name != "rss" or Path("/proc/self/clear_refs").exists()]
    contenders = []
    ratios = {}
    for measure in measures:
        parsed, added = _measure(measure, payload, bench.standalone().url)
        ratios[measure] = added / parsed
        for what, size in (("parsed", parsed), ("added at most", added)):
            contenders.append(Contender(f"{_MEASURES[measure]}, {what}", Spread.of([size / 2**20]), "MiB"))
    yield Figure(
        "event-memory",
        f"event memory: peak added by {bench.scale.large_event_records:,} records, {len(payload) / 2**20:.1f} MB, "
        "against their parsed size",
        TARGET,
        Spread(max(ratios.values()), min(ratios.values()), max(ratios.values())),
        contenders=contenders,
        notes=("The worse of two measures counts: " + ", ".join(f"{_MEASURES[m]} {r:.2f}" for m, r in ratios.items()),),
    )


def _payload(records: int) -> bytes:
    """The event's JSON, as many bytes as an event may have, or as many as these records take at most."""
    size = min(EVENT_BYTES // records, 629) if records else 0
    items = [{"id": f"{number:08d}", "active": True, "age": number % 90, "text": ""} for number in range(records)]
    envelope = len(json.dumps(workload(items[:1]).event, separators=(",", ":")))
    for item in items:
        item["text"] = "x" * max(0, size - envelope)
    return json.dumps(workload(items).event, separators=(",", ":")).encode()


def _measure(measure: str, payload: bytes, url: str) -> tuple[int, int]:
    """Bytes of the parsed event, and at most added to them while it is applied."""
    command = [sys.executable, "-m", "benchmarks.peak_memory", measure, url]
    answer = subprocess.run(command, check=True, input=payload, stdout=subprocess.PIPE)
    parsed, added = json.loads(answer.stdout)
    return parsed, added
