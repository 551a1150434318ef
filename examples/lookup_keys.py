"""Finds users by their e-mail address, on a cache and a table in memory.

    python examples/lookup_keys.py

prints whose address it is, before and after it is passed on.
"""

from ddb_cache_sync import KeyTemplate, LookupKey, Replicator
from ddb_cache_sync.testing import MemoryCache, MemoryTable

BY_EMAIL = LookupKey("users:by-email:{email}")


def find(cache, email):
    key = cache.values.get(f"users:by-email:{email}")
    return None if key is None else cache.values.get(key.decode())


if __name__ == "__main__":
    cache, table = MemoryCache(), MemoryTable(name="users")
    replicator = Replicator(cache, keys=KeyTemplate("users:{id}"), lookups=[BY_EMAIL])

    claimed = table.put({"id": "1", "email": "team@example.com"})
    replicator.apply([claimed])
    print("before:", find(cache, "team@example.com").decode())

    released = table.put({"id": "1"})
    passed_on = table.put({"id": "2", "email": "team@example.com"})
    for record in (passed_on, released, claimed):  # late, and the first once more
        replicator.apply([record])
    print("after:", find(cache, "team@example.com").decode())
