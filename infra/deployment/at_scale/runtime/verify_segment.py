"""Compares one segment of the table with the cache, with the library's verification.

Keys of the cache that no item explains can't be told from one segment: look for them with `ddb-cache-sync verify`.
"""

import json
import os
import time
from typing import Any, Final

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.sync.suspects import SuspectStore
from ddb_cache_sync.sync.verification import Verification
from ddb_cache_sync.sync.verify import DEFAULT_LOOKS
from ddb_cache_sync.table.clients import dynamodb_client, s3_client
from ddb_cache_sync.table.descriptions import table_description

settings = Settings.from_environment(os.environ)
cache = settings.client()
table_client = dynamodb_client()

_COUNTS: Final = ("items", "keys", "missing", "stale", "in_flight", "left_out", "failed", "drift")
_MOST_LISTED: Final = 10_000


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Compare a segment.

    Args:
        event: The number of the `segment`, how many there are (`of`), and the `execution` that asks. `looks`: when what
            differs is looked at again, seconds; left out: as the library does it.
        _context: Lambda's.

    Returns:
        The counts, `complete`, and where there is drift the `report`: an object that `repair --keys-from` takes.
    """
    described = table_description(table_client, os.environ["DYNAMODB_TABLE"])
    router = settings.router()
    known = Known.of(router, described.name, described.key_names, described.key_types)
    sides = Sides(inspectable_cache_of(cache), router, table_client, known, time.time)
    with SuspectStore() as store:
        run = Verification(sides, store, lambda *_: None)
        run.compare(described, [(event["segment"], event["of"])])
        run.look_again(event.get("looks") or DEFAULT_LOOKS, time.sleep)
        report = run.report(_MOST_LISTED, settings.guard_ttl_seconds)
    answer = {"segment": event["segment"], "complete": True} | {each: getattr(report, each) for each in _COUNTS}
    if report.drift:
        key = f"results/verification/{event['execution']}/drift/{event['segment']}.json"
        content = json.dumps(report.to_json()).encode()
        s3_client().put_object(Bucket=os.environ["BUCKET"], Key=key, Body=content, ContentType="application/json")
        answer["report"] = f"s3://{os.environ['BUCKET']}/{key}"
    return answer
