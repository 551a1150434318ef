"""The numbers that an estimate is made from: prices, limits of the services, and what was measured.

Rule: every number stands in `prices.toml`, once, with its unit, date and source; none is written into a formula. A
file of one's own goes over it entry by entry, and can name nothing that is not there: a mistyped name is an error.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ddb_cache_sync.errors import ConfigurationError

KINDS: Final = ("price", "limit", "measured")
"""The tables of the file, in its order."""
_BOUNDS: Final = {
    "node_reserved_share": (0.0, 0.99),
    "node_busy_share": (0.01, 1.0),
    "account_concurrency": (1.0, math.inf),
    "runtime_ms": (0.0, math.inf),
}
_TEXTS: Final = ("unit", "as_of", "source", "region")


@dataclass(frozen=True, slots=True)
class Number:
    """One number and where it comes from.

    Attributes:
        name: How formulas call it.
        kind: `price`, `limit` or `measured`.
        value: In `unit`; finite. A price is 0 or more, nearly all else is more than 0.
        unit: What it counts.
        as_of: The source's date: a year, a month or a day.
        source: Who says so.
        region: The AWS Region it holds for; None where it holds for all.
    """

    name: str
    kind: str
    value: float
    unit: str
    as_of: str
    source: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """All numbers by name.

    Attributes:
        numbers: In the order of the file.
    """

    numbers: Mapping[str, Number]

    def __getitem__(self, name: str) -> float:
        """The value of a number."""
        return self.numbers[name].value


@lru_cache(maxsize=1)
def default_prices() -> Prices:
    """The numbers that come with the library: us-east-1."""
    tables = tomllib.loads(files(__package__ or __name__).joinpath("prices.toml").read_text("utf-8"))
    numbers = {
        name: Number(name, kind, **{**entry, "value": float(entry["value"])})
        for kind in KINDS
        for name, entry in tables[kind].items()
    }
    return Prices(MappingProxyType(numbers))


def read_prices(path: Path) -> Prices:
    """The numbers of a file, over those that come with the library.

    Args:
        path: TOML such as `[price.node_hour]` with `value = 0.2`; `unit`, `as_of`, `source` and `region` may follow.

    Raises:
        ConfigurationError: A file that can't be read, an unknown name, or a value that can't be right.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    return _over(default_prices(), tables, str(path))


def _over(base: Prices, tables: Mapping[str, Any], name_of_file: str) -> Prices:
    numbers = dict(base.numbers)
    for kind, entries in tables.items():
        if kind not in KINDS or not isinstance(entries, dict):
            raise ConfigurationError(
                f"{name_of_file}: {kind} is no table of numbers", hint=f"The tables are {', '.join(KINDS)}."
            )
        for name, entry in entries.items():
            if name not in numbers or numbers[name].kind != kind:
                known = ", ".join(each.name for each in numbers.values() if each.kind == kind)
                raise ConfigurationError(
                    f"{name_of_file}: there is no number {kind}.{name}",
                    hint=f"The names are {known}.",
                )
            numbers[name] = _changed(numbers[name], entry, name_of_file)
    return Prices(MappingProxyType(numbers))


def _changed(number: Number, entry: Any, name_of_file: str) -> Number:
    where = f"{name_of_file}: {number.kind}.{number.name}"
    if not isinstance(entry, dict) or "value" not in entry:
        raise ConfigurationError(f"{where} has no value", hint="Write it as a table with value = a number.")
    texts = {name: text for name, text in entry.items() if name != "value"}
    if not all(name in _TEXTS and isinstance(text, str) for name, text in texts.items()):
        raise ConfigurationError(
            f"{where} has a member that is unknown or no text", hint=f"Beside value there are {', '.join(_TEXTS)}."
        )
    value = entry["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{where}: the value is no number")
    low, high = _BOUNDS.get(number.name, (0.0, math.inf))
    if not low <= value <= high or (value == 0 and number.kind != "price" and number.name not in _BOUNDS):
        raise ConfigurationError(f"{where}: {value:g} can't be right", hint=f"It is in {number.unit}.")
    # What was said of the old value says nothing of the new one.
    return replace(number, value=float(value), **({"as_of": "not given", "source": name_of_file} | texts))
