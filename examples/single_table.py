"""A Lambda function for a single-table design: each kind of item goes to a place, and in a form, of its own.

    python examples/single_table.py

runs it on a table and a cache in memory, and prints what readers find.
"""

from ddb_cache_sync import (
    EntityRouter,
    KeyTemplate,
    Projection,
    Replicator,
    Route,
    apply_stream_event,
    connect,
    exclude,
)

router = EntityRouter(
    [
        Route(
            Projection(KeyTemplate("profile:{PK}"), transforms=[exclude("password")]),
            key={"PK": "USER#*", "SK": "PROFILE"},  # the same sort key in all of them: the template leaves it out
        ),
        # An order's status changes; whatever order the changes come in, it ends in one of these places, or in none.
        Route(Projection(KeyTemplate("open:{PK}:{SK}")), key={"SK": "ORDER#*"}, attribute={"status": "open"}),
        Route(Projection(KeyTemplate("sent:{PK}:{SK}")), key={"SK": "ORDER#*"}, attribute={"status": "sent"}),
    ],
    unmatched="ignore",
)
replicator = Replicator(connect("rediss://my-cache.example.com:6379"), router)


def handler(event, context):
    return apply_stream_event(event, replicator, context=context)


if __name__ == "__main__":
    from ddb_cache_sync.testing import MemoryCache, MemoryTable

    table, cache = MemoryTable(name="app", key=("PK", "SK")), MemoryCache()
    table.put({"PK": "USER#1", "SK": "PROFILE", "name": "Wei", "password": "x"})
    table.put({"PK": "USER#1", "SK": "ORDER#7", "status": "open"})
    table.put({"PK": "USER#1", "SK": "ORDER#7", "status": "sent"})
    table.put({"PK": "USER#1", "SK": "ORDER#8", "status": "open"})
    table.put({"PK": "USER#1", "SK": "ORDER#8", "status": "cancelled"})
    table.put({"PK": "AUDIT#1", "SK": "2025-04-23"})
    report = Replicator(cache, router).apply(table.records[::-1])
    print(report.applied, "applied,", report.stale, "stale,", report.filtered, "filtered")
    for key, value in sorted(cache.values.items()):
        print(key, value.decode())
