"""Compares one segment of the table with the cache, with the library's verification, as far as the time goes.

Rules:

1. Shortly before its time is over it reads no further, looks again at what differs, and answers the place that it has
   come to. Called again with its own answer it goes on from there.
2. It also stops where so much differs that looking at it again would take the time that is left.

Keys of the cache that no item explains can't be told from one segment: look for them with `ddb-cache-sync verify`.
"""

import json
import os
import time
from typing import Any, Final, Protocol

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.core.verify_settings import DEFAULT_LOOKS
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.sync.suspects import SuspectStore
from ddb_cache_sync.sync.verification import Verification
from ddb_cache_sync.table.clients import dynamodb_client, s3_client
from ddb_cache_sync.table.descriptions import table_description

settings = Settings.from_environment(os.environ)
cache = settings.client()
table_client = dynamodb_client()

MARGIN_MS: Final = int(os.environ.get("MARGIN_MS", "300000"))
"""When to read no further, before the time-out: the looks take half a minute, and their reads."""
MOST_SUSPECTS: Final = int(os.environ.get("MOST_SUSPECTS", "20000"))
"""At how many keys that differ to read no further: each is read four times more."""
_COUNTS: Final = ("items", "keys", "missing", "stale", "in_flight", "left_out", "failed", "drift")
_MOST_LISTED: Final = 100_000  # all of them: a page of 1 MB, by which it may go beyond, has no more


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out."""
        ...


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Compare a segment.

    Args:
        event: The number of the `segment`, how many there are (`of`), and the `execution` that asks; of an answer that
            was not complete also what else it has. `looks`: when what differs is looked at again, seconds; left out: as
            the library does it.
        context: Lambda's.

    Returns:
        The event, with the counts added up, `complete`, and if it is not, the `position` to go on from. Where there is
        drift, `reports`: objects that `repair --keys-from` takes.

    Raises:
        CacheUnavailable: The cache kept failing; again from the last answer.
        TableError: The table can't be read now.
        ConfigurationError: It can't be right.
    """
    described = table_description(table_client, os.environ["DYNAMODB_TABLE"])
    router = settings.router()
    known = Known.of(router, described.name, described.key_names, described.key_types)
    sides = Sides(inspectable_cache_of(cache), router, table_client, known, time.time)
    with SuspectStore() as store:
        run = Verification(sides, store, lambda *_: None)

        def is_enough() -> bool:
            return context.get_remaining_time_in_millis() < MARGIN_MS or run.suspects >= MOST_SUSPECTS

        position = run.compare_some(described, (event["segment"], event["of"]), event.get("position"), is_enough)
        run.look_again(event.get("looks") or DEFAULT_LOOKS, time.sleep)
        report = run.report(_MOST_LISTED, settings.guard_ttl_seconds)
    answer = dict(event)
    for count in _COUNTS:
        answer[count] = event.get(count, 0) + getattr(report, count)
    invocations = answer["invocations"] = event.get("invocations", 0) + 1
    if report.drift:
        key = f"results/verification/{event['execution']}/drift/{event['segment']}-{invocations}.json"
        content = json.dumps(report.to_json()).encode()
        s3_client().put_object(Bucket=os.environ["BUCKET"], Key=key, Body=content, ContentType="application/json")
        answer["reports"] = [*event.get("reports", ()), f"s3://{os.environ['BUCKET']}/{key}"]
    answer["complete"] = position is None
    answer["position"] = position
    return answer
