"""What event filters leave out that the cache needs.

Rules, each of which a filter of an event source mapping can break:

1. DynamoDB's numbers are text within `N`, so neither a numeric comparison nor a JSON number ever matches one.
2. Removals have to come through, or deleted items stay in the cache.
3. A filter goes by what does not change in an item's life, its key; otherwise the change that takes an item out of the
   filter is not seen.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ddb_cache_sync.core.diagnosis.findings import Verdict, loses_data, warning


def fault_in_filters(patterns: Iterable[str]) -> Verdict | None:
    """The worst of what is wrong with a mapping's filters, of which one is enough to let a record through."""
    read = []
    for pattern in patterns:
        try:
            read.append(orjson.loads(pattern))
        except orjson.JSONDecodeError:
            return warning("a filter that is not JSON", "Write the filter anew.")
    if any(_compares_numbers(pattern) for pattern in read):
        return loses_data(
            "a filter compares a number, and DynamoDB's numbers are text: it matches nothing",
            "Filter numbers in the function: with the transform where().",
        )
    if not any(_lets_removals_through(pattern) for pattern in read):
        return loses_data(
            "removals are filtered out: items that are deleted stay in the cache", "Let eventName REMOVE through."
        )
    if any("NewImage" in path or "OldImage" in path for pattern in read for path, _ in _leaves(pattern)):
        return warning(
            "a filter goes by an image: the change that takes an item out of it is not seen, and the cache keeps what "
            "was before",
            "Filter by the item's key, or in the function: with the transform where().",
        )
    return None


def _leaves(pattern: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """What a pattern asks of each field: the field's path, and the alternatives."""
    if isinstance(pattern, dict):
        for name, below in pattern.items():
            yield from _leaves(below, (*path, name))
    elif isinstance(pattern, list):
        yield path, pattern


def _compares_numbers(pattern: Any) -> bool:
    for path, alternatives in _leaves(pattern):
        if path and path[-1] in ("N", "NS"):
            for each in alternatives:
                if isinstance(each, int | float) or (isinstance(each, dict) and "numeric" in each):
                    return True
    return False


def _lets_removals_through(pattern: Any) -> bool:
    names = pattern.get("eventName") if isinstance(pattern, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return True  # all names, or a comparison that is none of ours to work out
    return "REMOVE" in names
