"""A file that is written again and again, in memory where the system has a place for that."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

PLACE: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where temporary folders go. None: where the system puts them."""
_FOLDER: Final = tempfile.TemporaryDirectory(prefix="fuzz-", dir=PLACE)


def written(content: bytes) -> Path:
    """The file, with this in it."""
    path = Path(_FOLDER.name, "input")
    path.write_bytes(content)
    return path
