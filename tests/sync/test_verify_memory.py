"""Verify's memory does not grow with the table.

`VERIFY_MEMORY_ITEMS=10000,100000` and `--log-cli-level=INFO` show what it came to for such tables.
"""

from __future__ import annotations

import logging
import os
import tracemalloc
from typing import TYPE_CHECKING, Any, cast

from tests.sync.tables import TableClient

from ddb_cache_sync import KeyTemplate, LookupKey, Projection
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES = [int(each) for each in os.environ.get("VERIFY_MEMORY_ITEMS", "600,3000").split(",")]
PAGE = 100
TEXT = "x" * 500
ROUTER = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-mail:{mail}")])


class LongTable(TableClient):
    """A table that makes its items when it is asked for them, page by page."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.count = items

    def scan(self, **request: Any) -> Any:
        segment, segments = request["Segment"], request["TotalSegments"]
        start = int(request["ExclusiveStartKey"]["id"]["S"]) if "ExclusiveStartKey" in request else segment - segments
        numbers = range(start + segments, self.count, segments)[:PAGE]
        found: dict[str, Any] = {"Items": [item(number) for number in numbers]}
        return found | ({"LastEvaluatedKey": {"id": {"S": str(numbers[-1])}}} if len(numbers) == PAGE else {})

    def _item(self, key: Any) -> Any:
        number = int(key["id"]["S"])
        return item(number) if number < self.count else None


class LongCache(MemoryCache):
    """A cache of as many keys, made when they are asked for. Of a hundred, two values are wrong and one is nobody's."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.count = items

    __slots__ = ("count",)

    def keys_beginning(self, beginning: str) -> Iterator[Sequence[str]]:
        """Page by page."""
        for first in range(0, self.count, PAGE):
            numbers = range(first, min(first + PAGE, self.count))
            if beginning == "users:":
                yield [f"users:{number + (self.count if number % 100 == 7 else 0)}" for number in numbers]
            else:
                yield [f"users:by-mail:{number}@x" for number in numbers]

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Any:
        """As they should be, but for some."""
        return [self._value(key) for key in keys]

    def _value(self, key: str) -> bytes | None:
        if key.startswith("users:by-mail:"):
            return f"users:{key.removeprefix('users:by-mail:').removesuffix('@x')}".encode()
        number = int(key.removeprefix("users:"))
        write = ROUTER.encoding.encode(image(number))
        return b"wrong" if number % 100 < 2 else cast("bytes", write)


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": str(number)}, "mail": {"S": f"{number}@x"}, "text": {"S": TEXT}}


def image(number: int) -> Any:
    from ddb_cache_sync import Image  # noqa: PLC0415 - made anew each time, as a server would

    return Image(item(number))


def peak_bytes(items: int) -> int:
    """The most memory that Python held at once while so many items were compared."""
    options = VerifyOptions(looks=(0.01, 0.02), most_listed=100)
    table, cache = cast("Any", LongTable(items)), LongCache(items)
    tracemalloc.start()
    try:
        report = verify(cache, ROUTER, table, "users", options, sleep=lambda _: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (report.items, report.keys, report.lookup_keys) == (items, items, items)
    assert (report.stale, report.orphaned, len(report.drifts)) == (
        items // 50,
        items // 100,
        min(100, items * 3 // 100),
    )
    return peak


def test_memory_does_not_grow_with_the_table() -> None:
    """What has to be remembered, of keys and of suspects, is on disk."""
    peak_bytes(PAGE)  # what is loaded once
    small, large = (peak_bytes(items) for items in SIZES)
    logging.getLogger(__name__).info("%s items: %.2f and %.2f MB", SIZES, small / 1e6, large / 1e6)
    assert large < 2 * small  # threads at work on several pages at once hold now more, now less
