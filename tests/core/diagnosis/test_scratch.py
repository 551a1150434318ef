from typing import Any

import pytest

from ddb_cache_sync import (
    ConfigurationError,
    Expiry,
    HashEncoding,
    KeyTemplate,
    LookupKey,
    Outcome,
    Projection,
    RecordError,
)
from ddb_cache_sync.core.diagnosis.scratch import Scratch, scratch_writes
from ddb_cache_sync.testing import MemoryCache

OPTIONS: list[dict[str, Any]] = [
    {},
    {"mode": "invalidate"},
    {"mode": "refresh"},
    {"mode": "refresh", "expiry": Expiry("ttl")},
    {"expiry": Expiry(seconds=60)},
    {"encoding": HashEncoding()},
    {"guard_prefix": "guard:"},
    {"lookups": [LookupKey("users:by-email:{email}"), LookupKey("users:by-name:{last}:{first}")]},
]


def scratch(**options: Any) -> Scratch:
    """What would be written for a table with the key `id`."""
    return scratch_writes(Projection(KeyTemplate("users:{id}"), **options), "users", {"id": "S"}, "12345", 1000.0)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_each_step_has_the_outcome_that_is_expected_and_nothing_is_left(options: dict[str, Any]) -> None:
    """In the model that every server is compared with."""
    cache = MemoryCache()
    steps = scratch(**options).steps
    assert [list(cache.apply([step.write])) for step in steps] == [[step.outcome] for step in steps]
    assert cache.values == {}
    assert steps[0].write.value is None


def test_the_scratch_key_is_one_that_the_key_mapping_gives() -> None:
    """So the permissions for it are those for any item's key."""
    assert scratch().key == "users:ddb-cache-sync-doctor-12345"
    assert scratch().keys == [
        ("users:ddb-cache-sync-doctor-12345", "~v:{users:ddb-cache-sync-doctor-12345}"),
    ]


def test_a_late_write_has_to_be_refused() -> None:
    """That is what the guard is for."""
    assert [step.outcome for step in scratch().steps].count(Outcome.STALE) == 1


@pytest.mark.parametrize("types", [{"id": "N"}, {"id": "B"}])
def test_a_key_of_any_type_has_a_scratch_key(types: dict[str, str]) -> None:
    """Digits for a number, bytes for bytes."""
    assert scratch_writes(Projection(), "users", types, "12345").key.startswith("users:")


def test_what_a_template_leaves_out_is_what_it_is_fixed_to() -> None:
    """Where the table's attribute has the type of a text; else it does not fit."""
    projection = Projection(KeyTemplate("profile:{PK}", fixed={"SK": "PROFILE"}))
    found = scratch_writes(projection, "app", {"PK": "S", "SK": "S"}, "12345")
    assert found.key == "profile:ddb-cache-sync-doctor-12345"
    with pytest.raises(RecordError, match="is for items whose key attribute SK is 'PROFILE' alone"):
        scratch_writes(projection, "app", {"PK": "S", "SK": "N"}, "12345")


def test_a_key_mapping_that_does_not_fit_is_refused() -> None:
    """As it would be by every invocation."""
    with pytest.raises(ConfigurationError, match="leaves out day"):
        scratch_writes(Projection(KeyTemplate("users:{id}")), "users", {"id": "S", "day": "S"}, "1")
