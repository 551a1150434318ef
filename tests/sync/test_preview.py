"""A preview shows what each record would do to each cache key that it concerns."""

from ddb_cache_sync import EntityRouter, KeyTemplate, Projection, Route
from ddb_cache_sync.sync.preview import preview
from ddb_cache_sync.testing import stream_record

USERS = Route(Projection(KeyTemplate("users:{id}")), key={"id": "u*"}, attribute={"type": "user"})
ORDERS = Route(Projection(KeyTemplate("orders:{id}")), key={"id": "u*"}, attribute={"type": "order"})


def test_a_record_that_concerns_several_keys_is_shown_with_each() -> None:
    """The one it is written to comes first."""
    record = stream_record({"id": "u1"}, {"id": "u1", "type": "order"}, sequence_number=7)
    shown = preview([record], EntityRouter([USERS, ORDERS]))
    assert [(each.sequence_number, each.action, each.key) for each in shown] == [
        ("7", "set", "orders:u1"),
        ("7", "delete", "users:u1"),
    ]


def test_a_record_that_is_left_out_is_shown_as_filtered() -> None:
    """In its place in the batch."""
    records = [stream_record({"id": name}, {"id": name, "type": "user"}) for name in ("x", "u1")]
    shown = preview(records, EntityRouter([USERS], unmatched="ignore"))
    assert [(each.action, each.key) for each in shown] == [("filtered", None), ("set", "users:u1")]


def test_a_record_that_no_route_takes_is_refused() -> None:
    """With the reason."""
    [shown] = preview([stream_record({"id": "x"}, {"id": "x"})], EntityRouter([USERS]))
    assert (shown.action, "no route takes this item" in (shown.reason or "")) == ("refused", True)
