"""`python -m tests.cold_start`: what a cold start takes before the first record, in processor time.

A bare interpreter of Lambda's version, with the archive and Lambda's runtime on its path and nothing else. Not the
clock: processor time says the same on a busy machine.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from deployment import bundle
from tests.stage.stage import runtime_folder

ROUNDS = 9
READY = """
import os
os.environ.update(
    DDB_CACHE_SYNC_REDIS_URL="rediss://cache.example.com:6379?cluster=true",
    DDB_CACHE_SYNC_KEY_TEMPLATE="users:{id}",
    DDB_CACHE_SYNC_IAM_USER="applier",
    DDB_CACHE_SYNC_IAM_CACHE_NAME="cache",
)
import ddb_cache_sync.aws_lambda as it
it._from_environment()
"""
STAGES = {
    "Python itself": "",
    "the handler imported": "import ddb_cache_sync.aws_lambda",
    "settings read, client made": READY,
    "and botocore, which signs the login": READY + "import botocore.session, botocore.auth",
}


def main() -> None:
    """Print a row for each stage, with bytecode and without."""
    target = bundle.here()
    archive, python = bundle.build(target), bundle.interpreter(target.python)
    if python is None:
        sys.exit("no interpreter to measure with")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as file:
        both = {"with": Path(folder) / "with", "without": Path(folder) / "without"}
        file.extractall(both["with"])
        file.extractall(both["without"], [name for name in file.namelist() if "__pycache__" not in name])
        say(f"Python {target.python}, processor time in ms, median of {ROUNDS}: bytecode, no bytecode")
        for stage, code in STAGES.items():
            times = [milliseconds(python, code, path, runtime_folder(target)) for path in both.values()]
            say(f"{stage:38} {times[0]:6.0f} {times[1]:6.0f}")


def milliseconds(python: Path, code: str, *path: Path) -> float:
    """Processor time of a process that runs this code."""
    found = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {"PYTHONPATH": ":".join(map(str, path))}
        subprocess.run([python, "-S", "-B", "-c", code], env=environment, cwd="/", check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return statistics.median(found)


def say(line: str) -> None:
    """A line of the result."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
