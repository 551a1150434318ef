"""Changes that come through a Kinesis data stream: what is read, what is refused, and how an error says so."""

import base64
import json
import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.strategies import anything, lambda_form, places, records, spoilt

from ddb_cache_sync import Image, RecordError, Remove, StreamRecord, Touch, Upsert, Version, decode_stream_event
from ddb_cache_sync.core import kinesis_records
from ddb_cache_sync.core.stream_records import change_of, decode_record, fault_in, sequence_number_of, taken_apart
from ddb_cache_sync.testing import kinesis_event, stream_record

AT_US = 1_732_550_000_123_456
NUMBER = "49650000000000000000000000000000000000000000000000000002"


def kinesis_record(raw: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """A well-formed Kinesis record, as Lambda delivers it."""
    raw = raw or stream_record({"id": "a"}, {"id": "a", "n": 2}, {"id": "a", "n": 1}, created_at=AT_US / 1e6)
    [made] = kinesis_event([raw], **options)["Records"]
    return dict(made)


def from_pipes(raw: dict[str, Any]) -> dict[str, Any]:
    """The same record as EventBridge Pipes hands it over."""
    flat = {name: value for name, value in raw.items() if name != "kinesis"}
    flat.update(raw["kinesis"])
    return flat


def held_by(raw: dict[str, Any]) -> Any:
    """What a Kinesis record holds."""
    return json.loads(base64.b64decode(raw["kinesis"]["data"]))


def holding(content: Any) -> dict[str, Any]:
    """A Kinesis record that holds this content: bytes, or else JSON."""
    made = kinesis_record()
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    made["kinesis"] |= {"data": base64.b64encode(content).decode()}
    return made


def with_body(**body: Any) -> dict[str, Any]:
    """A Kinesis record with other members in its change's `dynamodb`; `...` leaves one out."""
    change = held_by(kinesis_record())
    change["dynamodb"] |= body
    change["dynamodb"] = {name: value for name, value in change["dynamodb"].items() if value is not ...}
    return holding(change)


def decode(raw: Any) -> StreamRecord:
    """One record, images checked."""
    [decoded] = decode_stream_event([raw])
    return decoded


def contents(image: Image | None) -> dict[str, Any] | None:
    """An image's Python values; None where there is none."""
    return None if image is None else dict(image)


def test_a_change_is_read_as_from_a_stream() -> None:
    """All but its version, its number and its view type, which Kinesis does not have."""
    decoded = decode(kinesis_record())
    assert (decoded.event_name, decoded.table, dict(decoded.keys)) == ("MODIFY", "T", {"id": "a"})
    assert contents(decoded.new_image) == {"id": "a", "n": 2}
    assert contents(decoded.old_image) == {"id": "a", "n": 1}
    assert decoded.view_type is None
    assert not decoded.is_ttl_removal
    assert isinstance(decoded.to_change(), Upsert)


def test_the_version_is_the_time_of_the_change_in_microseconds() -> None:
    """After zeros, so that any stream of the table outranks it."""
    decoded = decode(kinesis_record())
    assert decoded.version == "0000000000000:16:1732550000123456"
    assert decoded.version == Version.parse(decoded.version) == Version.of(0, str(AT_US))
    assert decoded.created_at == AT_US / 1e6
    assert decode(stream_record({"id": "a"}, {})).version > decoded.version


@pytest.mark.parametrize("precision", ["MILLISECOND", None])
def test_milliseconds_are_multiplied(precision: str | None) -> None:
    """Records without a precision are from before there was a choice: milliseconds."""
    decoded = decode(kinesis_record(precision=precision))
    assert decoded.version == "0000000000000:16:1732550000123000"
    assert decoded.created_at == 1_732_550_000.123


def test_a_label_given_goes_before_the_time() -> None:
    """A table that moves from its stream to Kinesis needs one."""
    raw = kinesis_record()
    assert decode_record(raw, stream_label_ms=1745415436991).version == Version.of(1745415436991, str(AT_US))


def test_the_sequence_number_is_that_of_kinesis() -> None:
    """It is what Lambda wants to be told of a failure."""
    assert decode(kinesis_record()).sequence_number == NUMBER
    assert sequence_number_of(kinesis_record()) == NUMBER


def test_eventbridge_pipes_hands_over_the_same_without_an_envelope() -> None:
    """The members of `kinesis` are the record's own there."""
    assert decode(from_pipes(kinesis_record())) == decode(kinesis_record())


def test_a_removal_is_a_remove_and_time_to_live_is_recognised() -> None:
    """As in a stream."""
    raw = stream_record({"id": "a"}, None, {"id": "a"})
    assert isinstance(decode(kinesis_record(raw)).to_change(), Remove)
    raw["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert decode(kinesis_record(raw)).is_ttl_removal
    change = change_of(taken_apart(kinesis_record(raw), None))
    assert isinstance(change, Remove)
    assert change.by_ttl


def test_what_old_global_tables_add_to_each_item_is_left_out() -> None:
    """Attributes that begin with `aws:rep:` are DynamoDB's own."""
    added = {"aws:rep:deleting": False, "aws:rep:updatetime": 1, "aws:rep:updateregion": "r"}
    raw = stream_record({"id": "a"}, {"id": "a"} | added, {"id": "b"} | added)
    decoded = decode(kinesis_record(raw))
    assert contents(decoded.new_image) == {"id": "a"}
    assert contents(decoded.old_image) == {"id": "b"}


def test_an_upsert_that_lost_its_image_is_refused() -> None:
    """Taken for an empty item it would empty the cache."""
    with pytest.raises(RecordError, match=rf"^record {NUMBER}: dynamodb\.NewImage: missing$"):
        change_of(taken_apart(with_body(NewImage=...), None))
    with pytest.raises(RecordError, match=r"dynamodb\.NewImage: missing$"):
        decode(with_body(NewImage=...)).to_change()


ONLY_CHANGES = "Filter out what others than DynamoDB write to this stream"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", f"kinesis.data: not JSON. {ONLY_CHANGES}"),
        (b"SECRET", f"kinesis.data: not JSON. {ONLY_CHANGES}"),
        (b"\x1f\x8bSECRET", f"kinesis.data: not JSON. {ONLY_CHANGES}"),
        (b'{"dynamodb":' + b"[" * 9000, f"kinesis.data: not JSON. {ONLY_CHANGES}"),
        ("SECRET", f"kinesis.data: JSON without a member dynamodb. {ONLY_CHANGES}"),
        (["dynamodb"], f"kinesis.data: JSON without a member dynamodb. {ONLY_CHANGES}"),
        ({"SECRET": 1}, f"kinesis.data: JSON without a member dynamodb. {ONLY_CHANGES}"),
        (
            b"\xf3\x89\x9a\xc2SECRET",
            f"kinesis.data: aggregated by the Kinesis Producer Library, which DynamoDB does not use. {ONLY_CHANGES}",
        ),
    ],
)
def test_a_record_of_another_producer_is_refused(content: Any, problem: str) -> None:
    """With its Kinesis sequence number, and nothing of what it holds."""
    with pytest.raises(RecordError) as caught:
        decode(holding(content))
    assert caught.value.sequence_number == NUMBER
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "missing, or not text"),
        (1, "missing, or not text"),
        (b"e30=", "missing, or not text"),
        ("SECRET!", "not base64"),
        ("e30", "not base64"),
        ("e30=\n", "not base64"),
        ("é", "not base64"),
        ("\ud800", "not base64"),
    ],
)
def test_data_that_is_no_base64_is_refused(data: Any, problem: str) -> None:
    """In either form of a record."""
    raw = kinesis_record()
    raw["kinesis"] |= {"data": data}
    for each, field in ((raw, "kinesis.data"), (from_pipes(raw), "data")):
        with pytest.raises(RecordError) as caught:
            decode(each)
        assert (caught.value.sequence_number, caught.value.problem) == (NUMBER, f"{field}: {problem}")


def test_data_larger_than_kinesis_takes_is_refused_undecoded() -> None:
    """A bound that no record of AWS reaches: 10 MiB."""
    raw = kinesis_record()
    raw["kinesis"] |= {"data": "!" * (kinesis_records.MAX_RECORD_BYTES // 3 * 4 + 9)}
    with pytest.raises(RecordError, match=r"kinesis\.data: more than 10,485,760 bytes$"):
        decode(raw)


@pytest.mark.parametrize("number", [..., None, "", 1, [], "SECRET", "-1", "1" * 130, "\u0661"])
def test_a_record_without_a_sequence_number_can_only_be_named_by_its_place(number: Any) -> None:
    """The error says which field is wrong, and claims no number."""
    raw = spoilt(kinesis_record(), ("kinesis", "sequenceNumber"), number)
    with pytest.raises(RecordError, match=r"^kinesis\.sequenceNumber: not 1 to 129 digits$") as caught:
        decode(raw)
    assert caught.value.sequence_number is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Keys": ...}, "Keys"),
        ({"Keys": {}}, "Keys"),
        ({"Keys": {"id": {"S": 1}}}, "Keys.id"),
        ({"NewImage": "SECRET"}, "NewImage"),
        ({"NewImage": {"n": {"N": "SECRET"}}}, "NewImage.n"),
        ({"OldImage": []}, "OldImage"),
        ({"ApproximateCreationDateTime": ...}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": None}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": "SECRET"}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": True}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": 1732550000.5}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": 10**40}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTime": -AT_US}, "ApproximateCreationDateTime"),
        ({"ApproximateCreationDateTimePrecision": "SECRET"}, "ApproximateCreationDateTimePrecision"),
        ({"ApproximateCreationDateTimePrecision": []}, "ApproximateCreationDateTimePrecision"),
    ],
)
def test_a_wrong_field_is_named_with_the_sequence_number(body: dict[str, Any], field: str) -> None:
    """With its path in the record, and nothing of its content."""
    with pytest.raises(RecordError) as caught:
        decode(with_body(**body))
    assert caught.value.sequence_number == NUMBER
    assert caught.value.problem.startswith(f"kinesis.data.dynamodb.{field}: ")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", [..., None, "", "SECRET/", 1, "é", "T" * 256, "T\n"])
def test_a_table_needs_a_name(name: Any) -> None:
    """One that a table can have, since cache keys are made of it."""
    raw = holding(spoilt(held_by(kinesis_record()), ("tableName",), name))
    with pytest.raises(RecordError, match=r"kinesis\.data\.tableName: (?!.*SECRET)"):
        decode(raw)


@pytest.mark.parametrize(
    ("created", "precision"), [(AT_US, "MILLISECOND"), (AT_US // 1000, "MICROSECOND"), (1_732_550_000, None)]
)
def test_a_time_that_belies_its_precision_is_refused(created: int, precision: str | None) -> None:
    """It would make a version that never wins, or one that wins for good."""
    raw = with_body(ApproximateCreationDateTime=created, ApproximateCreationDateTimePrecision=precision)
    with pytest.raises(RecordError, match=r"not a time between 2001 and 2286 at the precision given$"):
        decode(raw)


def test_the_fault_of_an_old_image_can_be_passed_over() -> None:
    """Where it plays no part."""
    for raw in (with_body(OldImage={"n": {"N": "x"}}), stream_record({"id": "a"}, {}, {"n": 1})):
        raw.get("dynamodb", {}).get("OldImage", {})["n"] = {"N": "x"}
        assert fault_in(raw, old_image=False) is None
        assert str(fault_in(raw)).endswith("dynamodb.OldImage.n: not a decimal number")


times = st.integers(10**15, 10**16 - 1)


@st.composite
def kinesis_records_of_any_kind(draw: st.DrawFn) -> dict[str, Any]:
    """Well-formed, as Lambda or as EventBridge Pipes delivers it."""
    raw = lambda_form(draw(records()))
    change = held_by(kinesis_record(stream_record({"id": "a"}, {})))
    precision = draw(st.sampled_from(["MICROSECOND", "MILLISECOND", None]))
    at_us = draw(times)
    body = {name: raw["dynamodb"].get(name) for name in ("Keys", "NewImage", "OldImage")} | {
        "ApproximateCreationDateTime": at_us if precision == "MICROSECOND" else at_us // 1000,
        "ApproximateCreationDateTimePrecision": precision,
    }
    made = holding(change | {"eventName": raw["eventName"], "dynamodb": body})
    made["kinesis"]["sequenceNumber"] = str(draw(st.integers(0, 10**129 - 1)))
    return from_pipes(made) if draw(st.booleans()) else made


@given(kinesis_records_of_any_kind())
def test_every_well_formed_record_is_read(raw: dict[str, Any]) -> None:
    """Of any kind, with any item; the wire model finds no fault in it either, and both ways to decode it agree."""
    assert fault_in(raw) is None
    decoded = decode(raw)
    assert Version.parse(decoded.version) == decoded.version
    assert decoded.version.stream_label_ms == 0
    try:
        change = decoded.to_change()
    except RecordError:
        with pytest.raises(RecordError):
            change_of(taken_apart(raw, None))
        return
    assert not isinstance(change, Touch)
    assert change_of(taken_apart(raw, None)) == change._replace(old=None)


@given(times, times)
def test_versions_sort_as_times_do(first: int, second: int) -> None:
    """Equal times make equal versions."""
    versions = [decode(with_body(ApproximateCreationDateTime=at)).version for at in (first, second)]
    assert (versions[0] < versions[1]) == (first < second)
    assert (versions[0] == versions[1]) == (first == second)


@st.composite
def spoilt_kinesis_records(draw: st.DrawFn) -> Any:
    """A record with one place of it, or of what it holds, replaced by anything, or left out."""
    made: Any = kinesis_record()
    content = draw(st.one_of(st.just(...), anything))
    if draw(st.booleans()):
        made = spoilt(made, draw(st.sampled_from(places(made))), content)
    else:
        change = held_by(made)
        try:
            made = holding(spoilt(change, draw(st.sampled_from(places(change))), content))
        except UnicodeEncodeError:
            return made
    return from_pipes(made) if draw(st.booleans()) and isinstance(made.get("kinesis"), dict) else made


@given(st.one_of(spoilt_kinesis_records(), st.fixed_dictionaries({"kinesis": anything}), anything))
@example({"eventSource": "aws:kinesis"})
@example({"kinesis": None, "eventSource": "aws:kinesis"})
@example({"eventSource": "aws:kinesis", "dynamodb": {}})
@example(with_body(NewImage={"\ud800": {"S": ""}}))
@example(holding({"dynamodb": None, "eventName": "INSERT", "tableName": "T"}))
def test_decoder_and_wire_model_come_to_the_same_verdict(raw: Any) -> None:
    """Neither may know better, and nothing but a RecordError comes out."""
    refusal: str | None = None
    try:
        decode(raw)
    except RecordError as error:
        refusal = error.problem
    found = fault_in(raw)
    if found is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert found in refusal


SECRET = "x5EcReTx"


@given(st.data())
def test_an_error_never_repeats_contents(data: st.DataObject) -> None:
    """Put a secret anywhere into what a record holds: neither the error nor its traceback shows it."""
    change = held_by(kinesis_record(stream_record({"id": SECRET}, {"s": SECRET, "l": [SECRET]}, {"s": SECRET})))
    where = data.draw(st.sampled_from(places(change)))
    content = data.draw(
        st.sampled_from([..., None, SECRET, [SECRET], {SECRET: SECRET}, {"N": SECRET}, {"B": SECRET}, 1, "é" + SECRET])
    )
    encoded = json.dumps(spoilt(change, where, content)).encode()
    cut = data.draw(st.sampled_from([None, None, -1, 40]))
    shown = ""
    try:
        decode(holding(encoded[:cut]))
    except RecordError as error:
        shown = "".join(traceback.format_exception(error))
    # Names of attributes may be told: a secret can be one only right below Keys or an image.
    assert SECRET not in shown or where[1:] in {("Keys",), ("NewImage",), ("OldImage",)}
