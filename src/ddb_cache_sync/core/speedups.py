"""The compiled part of the hot path, where `ddb-cache-sync-speedups` is installed.

Rule: both come to the same, byte for byte. What is compiled knows the form that nearly all records and items have, and
gives None for any other, malformed ones among them; Python then does all of it from the beginning.
"""

import warnings
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeAlias

_MODULE: Final = "ddb_cache_sync_speedups"
_INTERFACE: Final = 1
"""What is compiled for another one is not used."""


class Use(StrEnum):
    """Whether the compiled part is used."""

    USED = "used"
    NOT_INSTALLED = "not installed"
    UNFIT = "installed but not used"
    """Made for another machine, Python or version of the library."""


def _installed() -> tuple[Any, Use]:
    """The compiled module; None: it is not there, or made for something else, of which it warns."""
    try:
        found = import_module(_MODULE)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == _MODULE:
            return None, Use.NOT_INSTALLED
        _warn("for another kind of machine or Python: install the wheel of this one")
        return None, Use.UNFIT
    if getattr(found, "INTERFACE", None) != _INTERFACE:
        _warn("for another version: install the one of this ddb-cache-sync")
        return None, Use.UNFIT
    return found, Use.USED


def _warn(made: str) -> None:
    warnings.warn(f"ddb-cache-sync-speedups is not used, being made {made}", RuntimeWarning, stacklevel=2)


_found: Final = _installed()
_compiled: Final = _found[0]

USE: Final = _found[1]
"""Whether it is used here."""

item_json: Final[Callable[[Mapping[str, Any]], bytes | None] | None] = _compiled.item_json if _compiled else None
"""Gives the JSON of an item in DynamoDB JSON; None: Python has to do it. None in its place: it is not installed."""

RecordReader: TypeAlias = Callable[[Any], tuple[str, str, str, dict[str, Any] | None, float | None] | None]
"""Gives a record's stream ARN, the sortable digits of its sequence number, its cache key, its image (None: the item is
gone) and when the change was made (None: not told). None: Python has to do it."""


def record_reader(
    literals: tuple[str, ...], names: tuple[str, ...], size: int, is_plain: Callable[[str], bool]
) -> RecordReader | None:
    """What reads the records of tables with such primary keys; None: it is not installed.

    Args:
        literals: The texts of the key template, one more than names.
        names: The attributes that stand between them.
        size: How many attributes the primary key has.
        is_plain: Whether a character can stand in a key as it is; of those that are not ASCII none can.
    """
    if _compiled is None:
        return None
    plain = bytes(is_plain(chr(byte)) for byte in range(256))
    return partial(_compiled.straight, literals, names, size, plain)
