"""Stream records: what is read from an event, what is refused, and how an error says so."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.strategies import anything, places, record, records, spoilt, spoilt_records

from ddb_cache_sync import (
    ConfigurationError,
    Image,
    RecordError,
    Remove,
    StreamRecord,
    Touch,
    Upsert,
    Version,
    decode_stream_event,
)
from ddb_cache_sync.core.stream_records import change_of, decode_record, event_records, sequence_number_of, taken_apart
from ddb_cache_sync.core.wire import fault
from ddb_cache_sync.testing import stream_event, stream_record

LABEL_MS = 1745415436991
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def decode(raw: Any) -> StreamRecord:
    """One record, images checked."""
    [decoded] = decode_stream_event([raw])
    return decoded


def contents(image: Image | None) -> dict[str, Any] | None:
    """An image's Python values; None where there is none."""
    return None if image is None else dict(image)


def test_a_record_is_decoded_to_its_change() -> None:
    """Everything that a cache needs to know is in it."""
    decoded = decode(stream_record({"id": "a"}, {"id": "a", "n": 2}, {"id": "a", "n": 1}, sequence_number="00111"))
    assert decoded.event_name == "MODIFY"
    assert decoded.table == "T"
    assert dict(decoded.keys) == {"id": "a"}
    assert decoded.sequence_number == "00111"
    assert decoded.version == Version.of(LABEL_MS, "111")
    assert contents(decoded.new_image) == {"id": "a", "n": 2}
    assert contents(decoded.old_image) == {"id": "a", "n": 1}
    assert decoded.view_type == "NEW_AND_OLD_IMAGES"
    assert decoded.created_at == 1_745_415_437.0
    assert not decoded.is_ttl_removal


def test_an_insert_and_an_update_are_upserts() -> None:
    """The cache does not care whether the item is new."""
    for old in (None, {"id": "a"}):
        decoded = decode(stream_record({"id": "a"}, {"id": "a"}, old))
        assert decoded.to_change() == Upsert(("T", {"id": "a"}), decoded.version, {"id": "a"}, old)  # type: ignore[arg-type]


def test_a_removal_is_a_remove() -> None:
    """It needs no image."""
    decoded = decode(stream_record({"id": "a"}, None, {"id": "a"}))
    assert decoded.to_change() == Remove(("T", {"id": "a"}), decoded.version, {"id": "a"})  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["event", "list", "tuple"])
def test_an_event_or_its_bare_records_are_read(source: str) -> None:
    """Lambda hands over the one, EventBridge Pipes the other."""
    both = [stream_record({"id": "a"}, {}), stream_record({"id": "b"}, {}, sequence_number=2)]
    event: Any = {"event": stream_event(both), "list": both, "tuple": tuple(both)}[source]
    assert [decoded.keys["id"] for decoded in decode_stream_event(event)] == ["a", "b"]


def test_no_records_are_no_changes() -> None:
    """An empty event is an event."""
    assert decode_stream_event({"Records": []}) == decode_stream_event([]) == []


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", ()),
        ("NEW_IMAGE", ("NewImage",)),
        ("OLD_IMAGE", ("OldImage",)),
        ("NEW_AND_OLD_IMAGES", ("NewImage", "OldImage")),
        (None, ("NewImage",)),
    ],
)
def test_an_absent_image_is_none(view_type: str | None, images: tuple[str, ...]) -> None:
    """Of every view type: what is not there is not an empty item."""
    raw = record(StreamViewType=view_type)
    for image in {"NewImage", "OldImage"} - set(images):
        del raw["dynamodb"][image]
    decoded = decode(raw)
    assert decoded.view_type == view_type
    assert (decoded.new_image is not None) == ("NewImage" in images)
    assert (decoded.old_image is not None) == ("OldImage" in images)


def test_an_image_without_attributes_is_an_empty_item() -> None:
    """Empty is not absent."""
    decoded = decode(record(NewImage={}))
    assert contents(decoded.new_image) == {}
    assert isinstance(decoded.to_change(), Upsert)


@pytest.mark.parametrize("view_type", ["KEYS_ONLY", "OLD_IMAGE"])
def test_an_upsert_from_a_stream_without_new_images_is_a_touch(view_type: str) -> None:
    """That the item changed is known, what it is now is not."""
    raw = record(StreamViewType=view_type)
    del raw["dynamodb"]["NewImage"]
    decoded = decode(raw)
    assert decoded.to_change() == Touch(("T", {"id": "a"}), decoded.version)  # type: ignore[arg-type]


def test_what_old_global_tables_add_to_each_item_is_left_out() -> None:
    """Attributes that begin with `aws:rep:` are DynamoDB's own."""
    added = {"aws:rep:deleting": {"BOOL": False}, "aws:rep:updatetime": {"N": "1"}, "aws:rep:updateregion": {"S": "r"}}
    decoded = decode(record(NewImage={"id": {"S": "a"}} | added, OldImage={"id": {"S": "b"}} | added))
    assert contents(decoded.new_image) == {"id": "a"}
    assert contents(decoded.old_image) == {"id": "b"}


@pytest.mark.parametrize("view_type", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES", None])
def test_an_upsert_that_lost_its_image_is_refused(view_type: str | None) -> None:
    """Taken for an empty item it would empty the cache."""
    raw = record(StreamViewType=view_type, NewImage=None)
    with pytest.raises(RecordError, match=r"^record 111: dynamodb\.NewImage: missing$"):
        decode(raw).to_change()


@pytest.mark.parametrize(
    ("identity", "is_ttl"),
    [
        (TTL, True),
        (None, False),
        ({}, False),
        ({"type": "Service"}, False),
        ({"type": "Service", "principalId": "someone"}, False),
        ({"type": "User", "principalId": "dynamodb.amazonaws.com"}, False),
        ({"type": 1, "principalId": ["new", "shape"]}, False),
    ],
)
def test_a_removal_by_time_to_live_is_recognised(identity: Any, is_ttl: bool) -> None:
    """By both marks that DynamoDB puts on it; any other identity is someone else."""
    raw = stream_record({"id": "a"}) | {"userIdentity": identity}
    assert decode(raw).is_ttl_removal is is_ttl


def test_unknown_fields_are_left_alone() -> None:
    """What DynamoDB may add tomorrow is no reason to fail today."""
    raw = record(Tomorrow={"a": object()}) | {"recordFormat": "application/json", "Tomorrow": [1]}
    assert decode(raw) == decode(record())


def test_what_sample_events_leave_out_may_be_missing() -> None:
    """Time, view type and size are not needed to apply a change."""
    raw = record()
    for name in ("ApproximateCreationDateTime", "StreamViewType", "SizeBytes", "OldImage"):
        del raw["dynamodb"][name]
    for name in ("eventID", "eventVersion", "eventSource", "awsRegion"):
        del raw[name]
    decoded = decode(raw)
    assert (decoded.created_at, decoded.view_type) == (None, None)


def test_a_label_given_takes_the_place_of_the_streams_own() -> None:
    """A table of another Region that takes over needs a place in the same order."""
    assert decode_record(record(), stream_label_ms=5).version == Version.of(5, "111")


def test_a_label_that_is_no_time_is_refused_unless_one_is_given() -> None:
    """Without a label a record has no place in the order of changes."""
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/hand-made"
    raw = record() | {"eventSourceARN": arn}
    assert decode_record(raw, stream_label_ms=5).version == Version.of(5, "111")
    with pytest.raises(RecordError, match=r"^record 111: eventSourceARN: its stream label is not a time.*STREAM_LABEL"):
        decode_record(raw)


FAULTS = [
    (("eventName",), "eventName", (..., None, "modify", "SECRET", 1, [], {}, True)),
    (("eventSourceARN",), "eventSourceARN", (..., None, "", "SECRET", 1, [], {}, "arn:aws:dynamodb:a:b:table/T")),
    (("dynamodb",), "dynamodb", (..., None, "SECRET", 1, [], ["SECRET"])),
    (("dynamodb", "Keys"), "dynamodb.Keys", (..., None, {}, [], "SECRET", 1)),
    (
        ("dynamodb", "Keys", "id"),
        "dynamodb.Keys.id",
        (None, {}, "SECRET", {"S": 1}, {"S": "", "N": "1"}, {"X": "SECRET"}),
    ),
    (("dynamodb", "NewImage"), "dynamodb.NewImage", ([], "SECRET", 0, False)),
    (("dynamodb", "NewImage", "n"), "dynamodb.NewImage.n", (None, {"N": "SECRET"}, {"N": 1}, {"L": ["SECRET"]})),
    (("dynamodb", "NewImage", "n"), "dynamodb.NewImage.n", ({"S": "SECRET\ud800"}, {"M": {"SECRET\ud800": {"S": ""}}})),
    (("dynamodb", "OldImage"), "dynamodb.OldImage", ([], "SECRET", 0)),
    (("dynamodb", "OldImage", "n"), "dynamodb.OldImage.n", ({"B": "SECRET!"}, {"NULL": False})),
    (
        ("dynamodb", "ApproximateCreationDateTime"),
        "dynamodb.ApproximateCreationDateTime",
        ("SECRET", True, [], float("nan"), float("inf"), -float("inf"), 10**400, -(10**400)),
    ),
    (("dynamodb", "StreamViewType"), "dynamodb.StreamViewType", ("SECRET", "", 1, [], {}, False)),
    (("userIdentity",), "userIdentity", ("SECRET", 1, [], True)),
]


@pytest.mark.parametrize(
    ("path", "field", "content"),
    [
        pytest.param(path, field, content, id=f"{field}-{content!r:.20}".replace("\ud800", ""))
        for path, field, contents in FAULTS
        for content in contents
    ],
)
def test_a_wrong_field_is_named_with_the_sequence_number(path: tuple[str, ...], field: str, content: Any) -> None:
    """Missing or wrong in any way: the error says where, in which record, and nothing of the content."""
    raw = record() | {"userIdentity": TTL}
    with pytest.raises(RecordError) as caught:
        decode(spoilt(raw, path, content))
    within_body = path != ("dynamodb",)
    assert caught.value.sequence_number == ("111" if within_body else None)
    assert caught.value.problem.removeprefix("Records[0]: ").startswith(field)
    assert str(caught.value).startswith("record 111: " if within_body else field)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("number", [..., None, "", 111, 1.5, True, [], {}, b"111", "SECRET", "-1", "1" * 41, "\u0661"])
def test_a_record_without_a_sequence_number_can_only_be_named_by_its_place(number: Any) -> None:
    """The error says which field is wrong, and claims no number."""
    raw = spoilt(record(), ("dynamodb", "SequenceNumber"), number)
    assert sequence_number_of(raw) is None
    with pytest.raises(RecordError, match=r"^dynamodb\.SequenceNumber: (?!.*SECRET)") as caught:
        decode(raw)
    assert caught.value.sequence_number is None


@pytest.mark.parametrize("raw", [None, 1, "SECRET", [], ["SECRET"], True, b"SECRET", {}])
def test_what_is_no_record_is_refused(raw: Any) -> None:
    """With the one error that a batch can count."""
    with pytest.raises(RecordError, match=r"^(record|eventName|dynamodb): (?!.*SECRET)"):
        decode(raw)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (None, "a NoneType"),
        ("SECRET", "a str"),
        (b"SECRET", "a bytes"),
        (1, "a int"),
        ({}, "an object without a list of Records"),
        ({"records": []}, "an object without a list of Records"),
        ({"Records": None}, "an object without a list of Records"),
        ({"Records": "SECRET"}, "an object without a list of Records"),
        ({"Records": {"SECRET": 1}}, "an object without a list of Records"),
    ],
)
def test_garbage_is_no_event(event: Any, found: str) -> None:
    """The error says what it was given and what to give."""
    for read in (event_records, decode_stream_event):
        with pytest.raises(RecordError, match=f"^not a DynamoDB Streams event but {found}.*Records") as caught:
            read(event)
        assert "SECRET" not in str(caught.value)


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    """Something inside something, so many times."""
    value: Any = {"S": "deep"}
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda value: {"L": [value]}, id="lists"),
        pytest.param(lambda value: {"M": {"a": value}}, id="maps"),
        pytest.param(lambda value: [value], id="arrays"),
        pytest.param(lambda value: {"a": value}, id="objects"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        ("dynamodb", "NewImage", "n"),
        ("dynamodb", "Keys", "id"),
        ("dynamodb", "ApproximateCreationDateTime"),
        ("eventName",),
        ("eventSourceARN",),
    ],
)
def test_deep_nesting_is_refused_and_does_not_overflow(path: tuple[str, ...], wrap: Callable[[Any], Any]) -> None:
    """Wherever it stands in a record."""
    raw = spoilt(record(), path, nested(20_000, wrap))
    with pytest.raises(RecordError):
        decode(raw)


def test_deep_nesting_where_nothing_reads_it_does_no_harm() -> None:
    """Unknown fields are not walked."""
    decode(record(Unknown=nested(20_000, lambda value: [value])))


@given(records())
def test_every_well_formed_record_is_read(raw: dict[str, Any]) -> None:
    """Of any kind, with any item; the wire model finds no fault in it either."""
    decoded = decode(raw)
    body = raw["dynamodb"]
    assert decoded.sequence_number == body["SequenceNumber"]
    assert decoded.version == Version.of(LABEL_MS, body["SequenceNumber"])
    assert (decoded.new_image is None) == (body.get("NewImage") is None)
    assert fault(raw) is None


@given(records())
def test_a_change_made_at_once_is_the_same(raw: dict[str, Any]) -> None:
    """Without what nobody asked for."""
    decoded = decode(raw)
    try:
        change = decoded.to_change()
    except RecordError:
        with pytest.raises(RecordError):
            change_of(taken_apart(raw, None))
        return
    without_old = change if isinstance(change, Touch) else change._replace(old=None)
    fields = taken_apart(raw, None)
    assert change_of(fields) == without_old
    has_old = decoded.old_image is not None or decoded.event_name == "INSERT"
    if has_old and decoded.view_type in {None, "NEW_AND_OLD_IMAGES"}:
        assert change_of(fields, old_images=True) == change


@settings(max_examples=300)
@given(st.one_of(spoilt_records(), anything))
@example(record(ApproximateCreationDateTime=float("nan")))
@example(record(ApproximateCreationDateTime=10**400))
@example(record(ApproximateCreationDateTime=True))
@example(record(Keys={}))
@example(record(NewImage={"\ud800": {"S": ""}}))
@example(record(NewImage={1: {"S": ""}}))
@example(record() | {"userIdentity": {"type": "Service", "principalId": 1}})
@example(record() | {"eventName": []})
@example(record() | {"eventSourceARN": "arn:aws:dynamodb:a:b:table/T/stream/1969-01-01"})
def test_decoder_and_wire_model_come_to_the_same_verdict(raw: Any) -> None:
    """The decoder is written by hand for speed; the model says what is wrong. Neither may know better."""
    refusal: str | None = None
    try:
        decode(raw)
    except RecordError as error:
        refusal = error.problem
    found = fault(raw)
    if found is None and refusal is not None:
        # Whether a stream's label has to be a time depends on the settings, which the model does not know.
        assert "its stream label is not a time" in refusal
    else:
        assert refusal is None if found is None else refusal is not None and found in refusal


@given(st.one_of(anything, spoilt_records(), st.lists(st.one_of(anything, spoilt_records()), max_size=3)))
def test_nothing_but_a_record_error_comes_out(event: Any) -> None:
    """Whatever JSON is handed in as an event, or as the records of one."""
    for given_event in (event, {"Records": event}):
        try:
            decoded = decode_stream_event(given_event)
            for each in decoded:
                each.to_change()
        except (RecordError, ConfigurationError):
            pass


SECRET = "x5EcReTx"


def with_secrets(wire: Any) -> Any:
    """The same, with a secret in every text that is content and in every number."""
    if isinstance(wire, dict):
        return {name: with_secrets(member) for name, member in wire.items()}
    if isinstance(wire, list):
        return [with_secrets(member) for member in wire]
    return wire + SECRET if isinstance(wire, str) else wire


@settings(max_examples=200)
@given(st.data())
def test_an_error_never_repeats_contents(data: st.DataObject) -> None:
    """Put a secret in every value, spoil any place in any way: neither the error nor its traceback shows it."""
    raw = record(
        Keys={"id": {"S": SECRET}},
        NewImage={"s": {"S": SECRET}, "l": {"L": [{"S": SECRET}, {"SS": [SECRET]}]}, "m": {"M": {"a": {"S": SECRET}}}},
        OldImage={"s": {"S": SECRET}},
    )
    where = data.draw(st.sampled_from(places(raw)))
    contents = st.one_of(
        st.just(...),
        anything.map(with_secrets),
        st.sampled_from(
            [SECRET, [SECRET], {SECRET: SECRET}, {"S": [SECRET]}, {"N": SECRET}, {"B": SECRET}, {"M": SECRET}]
        ),
        st.sampled_from([{"S": SECRET, "N": SECRET}, {"L": [SECRET]}, {"S": SECRET + "\ud800"}, SECRET + "\ud800"]),
    )
    raw = spoilt(raw, where, data.draw(contents))
    shown = number = ""
    try:
        decode(raw)
    except RecordError as error:
        shown = "".join(traceback.format_exception(error))
        number = error.sequence_number or ""
    # Names of attributes may be told, their values not: a secret can be a name only right below Keys or an image.
    in_name = len(where) == 2 and where[1] in {"Keys", "NewImage", "OldImage"}
    assert SECRET not in shown or in_name
    assert SECRET not in number


@pytest.mark.parametrize(("name", "source"), [("eventSource", "aws:sqs"), ("EventSource", "aws:sns")])
def test_a_record_of_another_service_is_told_by_its_name(name: str, source: str) -> None:
    """SNS alone writes it with a capital letter."""
    with pytest.raises(RecordError, match=f"eventSource: {source}, not aws:dynamodb"):
        decode_record({name: source, "body": "x"})
