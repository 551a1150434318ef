"""The client's memory: as much of it given back as can be, so that what is left is what is held.

Left to itself the C library keeps an arena for each of many threads, and of large batches that come and go most of what
is free stays in them: hundreds of megabytes that look like a leak.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from typing import Any, Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def client_mb() -> float:
    """The resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path of ours
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20


def prepare() -> None:
    """For a program that does nothing but a run; before it starts any thread."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)  # events are trees of small objects, many of them at a time
    libc = _libc()
    if hasattr(libc, "mallopt"):  # glibc
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**16)


def tidied() -> int:
    """Collect garbage, and give back what is free; how many objects Python holds then."""
    gc.collect()
    libc = _libc()
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    return sys.getallocatedblocks()


def _libc() -> Any:
    return ctypes.CDLL(None)
