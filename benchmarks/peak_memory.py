"""Applies the event on standard input and writes `[bytes of the parsed event, bytes added at most while applied]`.

`python -m benchmarks.peak_memory tracemalloc|rss URL`, a process of its own.
"""

import gc
import json
import re
import sys
import tracemalloc
from pathlib import Path

from benchmarks.workload import KEYS, users
from ddb_cache_sync import Replicator, apply_stream_event, connect


def main() -> None:
    """Warm up, measure, write."""
    measure, url = sys.argv[1:]
    with connect(url) as client:
        replicator = Replicator(client, keys=KEYS)
        apply_stream_event(users(10).event, replicator)  # imports, connects, loads the script
        payload = sys.stdin.buffer.read()
        gc.collect()
        traced = measure == "tracemalloc"
        if traced:
            tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0] if traced else _status("VmRSS")
        event = json.loads(payload)
        gc.collect()
        parsed = tracemalloc.get_traced_memory()[0] if traced else _status("VmRSS")
        if traced:
            tracemalloc.reset_peak()
        else:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts at what it is now
        apply_stream_event(event, replicator)
        peak = tracemalloc.get_traced_memory()[1] if traced else _status("VmHWM")
    sys.stdout.write(json.dumps([parsed - before, peak - parsed]))


def _status(name: str) -> int:
    """A size of this process, bytes, as Linux tells it."""
    match = re.search(rf"^{name}:\s+([0-9]+) kB$", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


if __name__ == "__main__":
    main()
