"""`python -m tests.fuzz.guided TARGET [libFuzzer's options]`: the same targets, guided by coverage.

Needs atheris, which is no dependency of the tests: install it into an environment of its own beside the project.
"""

from __future__ import annotations

import importlib
import logging
import random
import sys
from typing import Any, Self


class BytesRandom(random.Random):
    """Random numbers that bytes say, and zeros once these are used up."""

    def __new__(cls, content: bytes) -> Self:  # Random's own would take the bytes for a seed
        return super().__new__(cls)

    def __init__(self, content: bytes) -> None:
        super().__init__(0)
        self._content = content
        self._at = 0

    def _taken(self, count: int) -> int:
        part = self._content[self._at : self._at + count]
        self._at += count
        return int.from_bytes(part, "big")

    def random(self) -> float:
        """See `random.Random.random`."""
        return self._taken(2) / 65536

    def getrandbits(self, k: int, /) -> int:
        """See `random.Random.getrandbits`."""
        return self._taken((k + 7) // 8) >> (-k % 8)


def main() -> None:
    """Run until stopped, or as long as the options say."""
    atheris: Any = importlib.import_module("atheris")
    logging.disable(logging.CRITICAL)
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["ddb_cache_sync"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented
    target, _ = TARGETS[name]
    atheris.Setup(sys.argv, lambda content: target(BytesRandom(content)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
