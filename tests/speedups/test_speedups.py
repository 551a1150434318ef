"""What is compiled comes to the same as Python, byte for byte, and leaves to Python what it does not know."""

import gc
import resource
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.strategies import anything, items, lambda_form, places, record, records, spoilt, spoilt_records, values

from ddb_cache_sync import JsonEncoding, KeyTemplate, RecordError
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.encodings import json_encoding
from ddb_cache_sync.core.stream_records import taken_apart

compiled = pytest.importorskip("ddb_cache_sync_speedups", reason="not installed: pip install ./speedups")

KEYS = ["users:{id}", "{id}", "{a}:{b}", "{b}/{a}", "{{{a}}}:{b}", "x{id}:{id}"]


def in_python(wire: Any) -> bytes | None:
    """The JSON that Python writes; None: it refuses the item."""
    with patch.object(json_encoding, "item_json", None):
        try:
            return JsonEncoding().encode(Image(wire))
        except RecordError:
            return None


@st.composite
def spoilt_items(draw: st.DrawFn) -> Any:
    """An item with one place replaced by anything, or left out."""
    item: Any = lambda_form(draw(items))
    where = places(item)
    return spoilt(item, draw(st.sampled_from(where)), draw(st.one_of(st.just(...), anything))) if where else item


def nested(depth: int, tag: str) -> Any:
    """A value within so many maps or lists."""
    value: Any = {"S": "x"}
    for _ in range(depth):
        value = {tag: {"a": value} if tag == "M" else [value]}
    return {"a": value}


@settings(max_examples=500, deadline=None)
@given(st.one_of(items, items.map(lambda_form), spoilt_items(), anything))
@example({})
@example({f"a{number}": {"N": str(number)} for number in range(100)})
@example({"a": {"SS": [str(number) for number in range(100)]}})
@example({"b": {"S": ""}, "a": {"S": '"\\\b\f\n\r\t\x00\x1f\x7f\x80é€\U0001f600'}, "": {"S": "x" * 10_000}})
@example({"a": {"B": "AA=="}, "b": {"B": "AB=="}, "c": {"B": "AAA="}})
@example({"a": {"B": "===="}})
@example({"a": {"B": "A==="}})
@example({"a": {"S": "x", "N": "1"}})
@example({"a": {"N": "-0"}})
@example({"a": {"N": "01"}})
@example({"a": {"N": "1."}})
@example({"a": {"N": "9" * 39}})
@example({"a": {"S": "\ud800"}})
@example({"\ud800": {"S": ""}})
def test_an_item_is_written_as_python_writes_it(wire: Any) -> None:
    """Or left to Python; no malformed item is ever written."""
    written = compiled.item_json(wire)
    assert written is None or written == in_python(wire)


@pytest.mark.parametrize("tag", ["M", "L"])
def test_what_is_nested_deeper_than_an_item_can_be_is_left_to_python(tag: str) -> None:
    """However deep: the stack is small."""
    written = compiled.item_json(nested(31, tag))
    assert written is not None
    assert written == in_python(nested(31, tag))
    assert compiled.item_json(nested(40, tag)) is None
    assert compiled.item_json(nested(20_000, tag)) is None


@given(values.map(lambda_form))
def test_a_value_is_written_as_python_writes_it_at_any_depth(value: Any) -> None:
    """In maps and lists."""
    wire = {"a": {"L": [value, {"M": {"b": value}}]}}
    written = compiled.item_json(wire)
    assert written is None or written == in_python(wire)


@pytest.mark.parametrize(
    "value",
    [
        {"S": "x"},
        {"S": ""},
        {"S": "é"},
        {"N": "0"},
        {"N": "-12.50"},
        {"N": "1" * 38},
        {"B": ""},
        {"B": "AA=="},
        {"BOOL": True},
        {"BOOL": False},
        {"NULL": True},
        {"M": {}},
        {"L": []},
        {"SS": ["b", "a"]},
    ],
)
def test_what_items_mostly_hold_is_compiled(value: Any) -> None:
    """Or nothing would be gained."""
    assert compiled.item_json({"a": value}) is not None


@pytest.mark.parametrize(
    "value", [{"NS": ["1"]}, {"BS": ["AA=="]}, {"N": "1E5"}, {"B": b"x"}, {"X": 1}, {"NULL": False}]
)
def test_what_is_rare_or_malformed_is_left_to_python(value: Any) -> None:
    """With the item that holds it."""
    assert compiled.item_json({"a": {"S": "x"}, "b": value}) is None


def read_in_python(raw: Any, keys: KeyTemplate) -> Any:
    """The fields of a record that the compiled function gives."""
    event_name, table, key, _, version, new, _, _, created, _ = taken_apart(raw, None)
    return (
        raw["eventSourceARN"],
        version.partition(":")[2],
        keys.key_of(table, key),
        None if event_name == "REMOVE" else new,
        created,
    )


few_keys = st.fixed_dictionaries(
    {name: st.sampled_from(["1", "a-b", "a:b", "{", "é", "x" * 64, "x" * 65, ""]) for name in ("a", "b")}
)


@st.composite
def fitting_records(draw: st.DrawFn) -> Any:
    """A record whose key mostly fits a template, so that all else decides; perhaps with a field spoilt or left out."""
    made = draw(records())
    names = draw(st.sampled_from([["id"], ["a", "b"], ["id", "z"], ["a", "b", "z"]]))
    made["dynamodb"]["Keys"] = {name: {"S": draw(st.sampled_from(["1", "a-b", "x" * 64]))} for name in names}
    made["dynamodb"]["SequenceNumber"] = draw(st.sampled_from(["111", "9" * 40]))
    if draw(st.booleans()):
        made.pop("userIdentity", None)
    made = lambda_form(made)
    if draw(st.booleans()):
        return made
    fields = [(name,) for name in made if name != "dynamodb"] + [("dynamodb", name) for name in made["dynamodb"]]
    return spoilt(made, draw(st.sampled_from(fields)), draw(st.one_of(st.just(...), anything)))


@settings(max_examples=1_000, deadline=None)
@given(
    st.one_of(
        fitting_records(),
        fitting_records(),
        records(),
        spoilt_records(),
        anything,
        few_keys.map(lambda keys: record(Keys={name: {"S": text} for name, text in keys.items()})),
        few_keys.map(lambda keys: record(Keys={"id": {"S": keys["a"]}})),
    ),
    st.sampled_from(KEYS),
)
@example(record(SequenceNumber="0" * 3 + "1"), "{id}")
@example(record(SequenceNumber="9" * 40), "{id}")
@example(record(SequenceNumber="9" * 41), "{id}")
@example(record(ApproximateCreationDateTime=10**400), "{id}")
@example(record(NewImage={"aws:rep:updatetime": {"N": "1"}}), "{id}")
@example(record() | {"userIdentity": {}}, "{id}")
def test_a_record_is_read_as_python_reads_it(raw: Any, template: str) -> None:
    """Or left to Python; nothing malformed is ever read."""
    keys = KeyTemplate(template)
    assert keys.record_reader is not None
    read = keys.record_reader(raw)
    assert read is None or read == read_in_python(raw, keys)


GOOD = record() | {"eventName": "MODIFY", "userIdentity": None}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (("dynamodb", "Keys"), {"id": {"S": "a"}, "z": {"S": "b"}}),  # part of the key would be left out
        (("dynamodb", "Keys"), {}),
        (("dynamodb", "Keys"), {"id": {"S": "a", "N": "1"}}),
        (("dynamodb", "NewImage"), ...),  # taken for a removal it would delete the value
        (("dynamodb", "NewImage"), None),
        (("dynamodb", "NewImage"), [1]),
        (("dynamodb", "OldImage"), [1]),
        (("dynamodb", "StreamViewType"), "NEW"),
        (("dynamodb", "StreamViewType"), 1),
        (("dynamodb", "ApproximateCreationDateTime"), True),
        (("dynamodb", "ApproximateCreationDateTime"), float("inf")),
        (("dynamodb", "SequenceNumber"), "1a"),
        (("dynamodb", "SequenceNumber"), ""),
        (("eventName",), "UPSERT"),
        (("eventName",), ...),
        (("eventSourceARN",), 1),
        (("userIdentity",), {"type": "Service"}),
        (("dynamodb",), ...),
    ],
)
def test_every_field_that_is_not_as_it_should_be_is_left_to_python(path: tuple[str, ...], content: Any) -> None:
    """One at a time, in a record that is read else."""
    reader = KeyTemplate("users:{id}").record_reader
    assert reader is not None
    assert reader(GOOD) is not None
    assert reader(spoilt(GOOD, path, content)) is None


class Finalized:
    """Part of a cycle; changes a record when it is collected."""

    def __init__(self, body: dict[str, Any], raw: dict[str, Any]) -> None:
        self.me, self.body, self.raw = self, body, raw

    def __del__(self) -> None:
        self.raw.pop("eventSourceARN", None)
        self.body.clear()


def test_a_finalizer_may_change_the_record_at_any_time() -> None:
    """The garbage collector runs when an object is made, up to Python 3.11."""
    reader = KeyTemplate("users:{id}").record_reader
    assert reader is not None
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            raw = record(NewImage={"id": {"S": str(number)}})
            raw["eventSourceARN"] = f"arn:{number}"
            raw["dynamodb"]["ApproximateCreationDateTime"] = 1_700_000_000.5 + number
            Finalized(raw["dynamodb"], raw)
            read = reader(raw)
            assert read is None or (read[0], read[3]) == (f"arn:{number}", {"id": {"S": str(number)}})
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("event_name", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("created", [1.5, 2, None])
def test_most_records_are_read_compiled(event_name: str, created: float | None) -> None:
    """Or nothing would be gained."""
    raw = record(ApproximateCreationDateTime=created) | {"eventName": event_name}
    reader = KeyTemplate("users:{id}").record_reader
    assert reader is not None
    image = None if event_name == "REMOVE" else raw["dynamodb"]["NewImage"]
    assert reader(raw) == (raw["eventSourceARN"], "03:111", "users:a", image, created)


@pytest.mark.parametrize("template", ["{table}:{id}"])
def test_a_template_that_needs_more_is_left_to_python(template: str) -> None:
    """The table's name is not read."""
    assert KeyTemplate(template).record_reader is None
    assert KeyTemplate("{id}", fixed={"sk": "x"}).record_reader is None


@pytest.mark.parametrize(
    "given",
    [
        (),
        (("", ""), ("id",), 1, bytes(256)),
        (("",), ("id",), 1, bytes(256), {}),
        (("", ""), ("id",), 1, bytes(255), {}),
        (("", ""), ("id",), "1", bytes(256), {}),
        ([], [], 1, bytes(256), {}),
        (("", ""), ("id",), 1, "x", {}),
        (("", ""), ("id",), 2**100, bytes(256), {}),
    ],
)
def test_a_wrong_call_is_refused(given: Any) -> None:
    """It can only be made by mistake, and never kills the process."""
    with pytest.raises(TypeError):
        compiled.straight(*given)


def test_nothing_is_kept() -> None:
    """Neither of what is read nor of what is left to Python."""
    raw, left = record(), record(Keys={"id": {"S": "\ud800"}}, NewImage={"a": {"SS": ["x", 1]}})
    reader = KeyTemplate("users:{id}").record_reader
    assert reader is not None

    def counts() -> list[int]:
        gc.collect()
        body = raw["dynamodb"]
        kept = [raw, body, body["NewImage"], body["Keys"], raw["eventSourceARN"], left["dynamodb"]["NewImage"]]
        return [sys.getrefcount(each) for each in kept]

    before, blocks = counts(), 0
    for round_ in range(3):
        for _ in range(2_000):
            reader(raw)
            reader(left)
            compiled.item_json(raw["dynamodb"]["NewImage"])
            compiled.item_json(left["dynamodb"]["NewImage"])
        if round_ == 0:
            blocks = sys.getallocatedblocks()
    assert counts() == before
    assert sys.getallocatedblocks() < blocks + 1_000


def resident_kb() -> int:
    """What this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells memory by /proc")
@pytest.mark.parametrize("last", [{"S": "x"}, {"X": 1}], ids=["written", "left to Python"])
def test_memory_of_large_items_is_given_back(last: Any) -> None:
    """More names and members than need no memory of their own, and more bytes."""
    wire: dict[str, Any] = {f"a{number}": {"S": "x" * 100} for number in range(100)}
    wire |= {"m": {"M": dict(wire)}, "s": {"SS": [str(number) for number in range(100)]}, "z": last}
    for _ in range(200):
        compiled.item_json(wire)
    before = resident_kb()
    for _ in range(10_000):
        compiled.item_json(wire)
    assert resident_kb() - before < 4_096  # a list of names has 5 kB
