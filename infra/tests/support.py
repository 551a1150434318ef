"""What the tests that run a template share."""

from __future__ import annotations

import shutil

from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from tests.stage.stage import Stage

MISSING = [program for program in ("redis-server", "openssl") if shutil.which(program) is None]


def drift(stage: Stage) -> tuple[int, int]:
    """How many keys of cache and table disagree, looked at both ways, and how many items there are."""
    variables = stage.function("ReplicatorFunction").properties["Environment"]["Variables"]
    router = Settings(key_template=variables["DDB_CACHE_SYNC_KEY_TEMPLATE"]).router()
    with connect(stage.cache.url) as cache:
        report = verify(cache, router, stage.dynamodb.client(), stage.table, VerifyOptions(looks=(0.1, 0.5)))
    assert report.orphans_searched
    return report.drift, report.items
