"""Versions: one text that sorts as the changes of a table came."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.strategies import sequence_numbers

from ddb_cache_sync import Version
from ddb_cache_sync.core.versions import StreamArn, is_of_later_stream, parse_stream_label

LABEL_MS = 1745415436991
ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"

labels = st.one_of(st.integers(0, 10**13 - 1), st.sampled_from([0, LABEL_MS, LABEL_MS + 1, 10**13 - 1]))


def test_a_version_is_the_label_the_length_and_the_digits() -> None:
    """Each part has a fixed width or is preceded by its own."""
    assert Version.of(LABEL_MS, "202328600001712385967261751") == "1745415436991:27:202328600001712385967261751"


@pytest.mark.parametrize(
    ("sequence_number", "digits"),
    [("111", "03:111"), ("000000000000000000001", "01:1"), ("0", "01:0"), ("000", "01:0")],
)
def test_leading_zeros_are_dropped(sequence_number: str, digits: str) -> None:
    """DynamoDB Local pads its numbers; their value is what counts."""
    assert Version.of(0, sequence_number) == f"0000000000000:{digits}"


def test_a_child_shard_goes_on_after_its_parent() -> None:
    """Real sequence numbers of one lineage: longer is newer, which plain text order gets wrong."""
    lineage = ["20500000000000000910398", "820400000000000001192334", "1683700000000000001135967"]
    versions = [Version.of(LABEL_MS, number) for number in lineage]
    assert sorted(versions) == versions
    assert sorted(lineage) != lineage


@given(labels, sequence_numbers, labels, sequence_numbers)
@example(LABEL_MS, "9", LABEL_MS, "10")
@example(LABEL_MS, "9" * 39, LABEL_MS, "1" + "0" * 39)
@example(LABEL_MS, "202328600001712385967261751", LABEL_MS, "202328600001712385967261752")
@example(LABEL_MS, "0009", LABEL_MS, "10")
@example(LABEL_MS, "9" * 40, LABEL_MS + 1, "1")
def test_text_order_is_the_order_of_label_and_number(
    label_ms: int, number: str, other_label_ms: int, other_number: str
) -> None:
    """A newer stream outranks an older one; within a stream the number decides, with all its digits."""
    one, other = Version.of(label_ms, number), Version.of(other_label_ms, other_number)
    expected = (label_ms, int(number)), (other_label_ms, int(other_number))
    assert (one < other) == (expected[0] < expected[1])
    assert (one == other) == (expected[0] == expected[1])
    # The cache compares bytes.
    assert (one.encode() < other.encode()) == (expected[0] < expected[1])


@given(labels, st.integers(0, 10**40 - 2))
def test_a_repair_sorts_between_a_version_and_the_next(label_ms: int, number: int) -> None:
    """The suffix of a repair outranks the version it found and nothing newer."""
    found, newer = Version.of(label_ms, str(number)), Version.of(label_ms, str(number + 1))
    repair = Version.parse(f"{found}:1")
    assert found < repair < newer
    assert repair.sequence_number == str(number)


@given(labels, sequence_numbers)
def test_a_version_is_read_as_it_was_written(label_ms: int, number: str) -> None:
    """Parse and format are a pair."""
    version = Version.of(label_ms, number)
    parsed = Version.parse(str(version))
    assert parsed == version
    assert (parsed.stream_label_ms, parsed.sequence_number) == (label_ms, str(int(number)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1745415436991",
        "1745415436991:27",
        "1745415436991:03:12",
        "1745415436991:02:012",
        "1745415436991:02:01",
        "745415436991:01:1",
        "11745415436991:01:1",
        "1745415436991:1:1",
        "1745415436991:00:",
        "1745415436991:01:1:",
        "1745415436991:01:1:x",
        "1745415436991:01:1\n",
        " 1745415436991:01:1",
        "1745415436991:01:٣",
        f"1745415436991:41:{'1' * 41}",
    ],
)
def test_other_texts_are_no_versions(text: str) -> None:
    """A guard that holds anything else was not written by this library."""
    with pytest.raises(ValueError, match="not the text of a version"):
        Version.parse(text)


@pytest.mark.parametrize("number", ["", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "abc", "١٢", "²", "1\n"])
def test_a_sequence_number_has_digits_only(number: str) -> None:
    """Digits of other scripts are none."""
    with pytest.raises(ValueError, match="digits only"):
        Version.of(0, number)


def test_a_sequence_number_has_at_most_40_digits() -> None:
    """The service model's limit; leading zeros are no digits of the number."""
    assert Version.of(0, "0" * 10 + "9" * 40).sequence_number == "9" * 40
    with pytest.raises(ValueError, match="more than 40 digits"):
        Version.of(0, "1" * 41)


@pytest.mark.parametrize("label_ms", [-1, 10**13])
def test_a_label_has_13_digits(label_ms: int) -> None:
    """A longer one would sort wrong."""
    with pytest.raises(ValueError, match="stream label"):
        Version.of(label_ms, "1")


@pytest.mark.parametrize(
    ("label", "label_ms"),
    [
        ("2025-04-23T13:37:16.991", LABEL_MS),
        ("2025-04-23T13:37:16.991999", LABEL_MS),
        ("2025-04-23T13:37:16.991Z", LABEL_MS),
        ("2025-04-23T15:37:16.991+02:00", LABEL_MS),
        ("2025-04-23T13:37:16", LABEL_MS - 991),
        ("1970-01-01T00:00:00.000", 0),
        ("2286-11-20T17:46:39.999", 10**13 - 1),
    ],
)
def test_a_stream_label_is_a_time_in_utc(label: str, label_ms: int) -> None:
    """With milliseconds, microseconds (cut), none, and a zone."""
    assert parse_stream_label(label) == label_ms


@given(st.datetimes(datetime(1970, 1, 1), datetime(2286, 1, 1)))  # noqa: DTZ001 - labels carry no zone
def test_stream_labels_keep_their_milliseconds(created: datetime) -> None:
    """No float on the way that could round."""
    label = created.isoformat(timespec="milliseconds")
    milliseconds = created.microsecond // 1000
    assert (
        parse_stream_label(label) == int(created.replace(microsecond=0, tzinfo=UTC).timestamp()) * 1000 + milliseconds
    )


@pytest.mark.parametrize(
    "label",
    [
        "",
        "ddblocal",
        "yesterday",
        "2025-04-23",
        "2025-W17-3T00:00:00",
        "2025-13-01T00:00:00",
        "1969-12-31T23:59:59.999",
        "2286-11-20T17:46:40",
        "9999-01-01",
    ],
)
def test_other_labels_are_no_times(label: str) -> None:
    """A time that 13 digits can't hold is none either."""
    with pytest.raises(ValueError, match="stream label"):
        parse_stream_label(label)


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        pytest.param(ARN, ("us-east-1", "111122223333", "T", "2025-04-23T13:37:16.991", LABEL_MS), id="AWS"),
        pytest.param(
            "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/my-table.v_2/stream/2025-04-23T13:37:16.991",
            ("cn-north-1", "111122223333", "my-table.v_2", "2025-04-23T13:37:16.991", LABEL_MS),
            id="China",
        ),
        pytest.param(
            "arn:aws:dynamodb:ddblocal:000000000000:table/T/stream/2025-04-23T13:37:16.991",
            ("ddblocal", "000000000000", "T", "2025-04-23T13:37:16.991", LABEL_MS),
            id="DynamoDB Local",
        ),
        pytest.param(
            "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2025-04-23T13:37:16.991123",
            ("us-east-1", "123456789012", "T", "2025-04-23T13:37:16.991123", LABEL_MS),
            id="moto",
        ),
        pytest.param(
            "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/hand-made",
            ("us-east-1", "111122223333", "T", "hand-made", None),
            id="a label that is not a time",
        ),
    ],
)
def test_a_stream_arn_tells_table_and_label(arn: str, expected: tuple[str, str, str, str, int | None]) -> None:
    """Of every partition, and of the emulators."""
    assert StreamArn.parse(arn) == expected


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "T",
        "arn:aws:dynamodb:us-east-1:111122223333:table/T",
        "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/",
        "arn:aws:kinesis:us-east-1:111122223333:stream/T",
        ARN.replace("table/T", "table/{T}"),
        ARN.replace("table/T", "table/T:U"),
        ARN.replace("table/T", "table/Tä"),
        ARN.replace("table/T", "table/" + "T" * 256),
        ARN.replace("us-east-1", "\ud800"),
        ARN + "\n",
    ],
)
def test_other_names_are_no_stream_arns(arn: str) -> None:
    """A table's name has DynamoDB's alphabet, so that it can't pass for anything else in a cache key."""
    with pytest.raises(ValueError, match="not a stream's ARN"):
        StreamArn.parse(arn)


def test_a_guard_of_a_later_stream_is_told_by_its_label() -> None:
    """Whatever its number; an equal label is not later, and what is no version is of no stream."""
    assert is_of_later_stream("1745415436991:01:1", 1745415436990)
    assert is_of_later_stream("1745415436991:01:1:3", 1745415436990), "left by a repair"
    assert not is_of_later_stream("1745415436991:27:202328600001712385967261751", 1745415436991)
    assert not is_of_later_stream("0000000000000:16:1732550000123456", 0), "of Kinesis"
    assert not is_of_later_stream("", 0)
    assert not is_of_later_stream("?", 0)
