"""First step of a full verification: how many segments to read the table in, so that each fits into a function."""

import os
from typing import Any, Final

from ddb_cache_sync.table.clients import dynamodb_client
from ddb_cache_sync.table.descriptions import table_description

_ITEMS_A_SEGMENT: Final = 200_000
_BYTES_A_SEGMENT: Final = 256 * 2**20
_MOST_SEGMENTS: Final = 10_000  # their numbers have to fit into a state's data


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Give the `segments`, and how many they are, `of`."""
    described = table_description(dynamodb_client(), os.environ["DYNAMODB_TABLE"])
    wanted = max(described.item_count // _ITEMS_A_SEGMENT, described.size_bytes // _BYTES_A_SEGMENT)
    # A few where the figures say none: they are up to six hours old.
    count = min(max(wanted + 1, int(os.environ.get("LEAST_SEGMENTS", "4"))), _MOST_SEGMENTS)
    return {"segments": list(range(count)), "of": count}
