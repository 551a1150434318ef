"""Changes that come through a Kinesis data stream: what a Kinesis record holds, opened and given its version.

Kinesis Data Streams for DynamoDB puts each change, as JSON, into a record of a Kinesis data stream. Changes may come
there twice and in another order than they were made in, and only their time tells that order
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html). So the rules are:

1. The version is the time of the change in microseconds, 16 digits, after the stream label that was given or, without
   one, thirteen zeros: any DynamoDB stream of the table outranks it. Milliseconds are multiplied by 1,000.
2. The Kinesis sequence number names the record in an answer to Lambda. It is the order of arrival, no order of changes.
3. What is no change of a table is refused, by the name of the field that is wrong and nothing of its content.

Lambda delivers a record's content in its member `kinesis`
(https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html), EventBridge Pipes in the record itself
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html).
"""

import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from ddb_cache_sync.core.versions import Version, label_prefix, sortable_digits

MAX_RECORD_BYTES: Final = 10 * 2**20
"""The largest record that a Kinesis data stream can be set to take:
https://docs.aws.amazon.com/streams/latest/dev/large-records.html."""

_MAX_BASE64: Final = -(-MAX_RECORD_BYTES // 3) * 4
_AGGREGATED: Final = b"\xf3\x89\x9a\xc2"
"""What a record begins with into which the Kinesis Producer Library packed several."""
_SEQUENCE_NUMBER: Final = re.compile(r"[0-9]{1,129}").fullmatch  # the service model: up to 129 digits
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}").fullmatch
_UNIT_MICROSECONDS: Final[Mapping[Any, int]] = {None: 1000, "MILLISECOND": 1000, "MICROSECOND": 1}
_ONLY_CHANGES: Final = "Filter out what others than DynamoDB write to this stream"
_EARLIEST: Final = 10**15
_END: Final = 10**16


class KinesisRecord(NamedTuple):
    """A Kinesis record, opened."""

    sequence_number: str
    """Kinesis', as delivered: the identifier that a batch item failure names."""
    table: str
    version: Version
    created_at: float
    """When the change was made, epoch seconds."""
    change: Mapping[str, Any]
    """What DynamoDB wrote; its images and its event name unchecked."""


def opened(raw: Any, stream_label_ms: int | None) -> KinesisRecord:
    """Open a Kinesis record.

    Args:
        raw: The record, as parsed from JSON.
        stream_label_ms: The first part of the version, epoch ms. None: zeros.

    Raises:
        ValueError, TypeError, KeyError: Not a Kinesis record that holds a change of a table.
    """
    number, change = change_in(raw)
    body = change["dynamodb"]
    created_us = microseconds(body["ApproximateCreationDateTime"], body.get("ApproximateCreationDateTimePrecision"))
    version = Version(label_prefix(stream_label_ms or 0) + sortable_digits(str(created_us)))
    return KinesisRecord(number, table_name(change["tableName"]), version, created_us / 1e6, change)


def part_of(raw: Any) -> tuple[str, Any] | None:
    """Where a Kinesis record has its content, as the beginning of a path, and the content; None for other records."""
    if not isinstance(raw, Mapping) or "dynamodb" in raw:
        return None
    if "kinesis" in raw:
        return "kinesis.", raw["kinesis"]
    return ("", raw) if raw.get("eventSource") == "aws:kinesis" else None


def kinesis_sequence_number(raw: Any) -> str | None:
    """The sequence number of a Kinesis record; None for other records, or where it has none that can be named."""
    part = part_of(raw)
    number = part[1].get("sequenceNumber") if part is not None and isinstance(part[1], Mapping) else None
    return number if isinstance(number, str) and _SEQUENCE_NUMBER(number) else None


def change_in(raw: Any) -> tuple[str, dict[str, Any]]:
    """The sequence number of a Kinesis record, and the change that it holds, with a member `dynamodb` of any kind.

    Raises:
        ValueError: Says which field is wrong, and how.
    """
    part = part_of(raw)
    if part is None:
        raise ValueError("record: not one of a Kinesis data stream")
    path, content = part
    if not isinstance(content, Mapping):
        raise ValueError("kinesis: not an object")  # noqa: TRY004 - one error type for malformed records
    number = kinesis_sequence_number(raw)
    if number is None:
        raise ValueError(f"{path}sequenceNumber: not 1 to 129 digits")
    try:
        change = orjson.loads(_unpacked(content.get("data")))
    except orjson.JSONDecodeError:
        raise ValueError(f"{path}data: not JSON. {_ONLY_CHANGES}") from None
    except ValueError as error:
        raise ValueError(f"{path}data: {error}") from None
    if not isinstance(change, dict) or "dynamodb" not in change:
        raise ValueError(f"{path}data: JSON without a member dynamodb. {_ONLY_CHANGES}")
    return number, change


def _unpacked(data: object) -> bytes:
    """The bytes of a record."""
    if not isinstance(data, str):
        raise ValueError("missing, or not text")  # noqa: TRY004 - one error type for malformed records
    if len(data) > _MAX_BASE64:
        raise ValueError(f"more than {MAX_RECORD_BYTES:,} bytes")
    try:
        # a2b_base64 refuses an empty text in strict mode.
        content = binascii.a2b_base64(data.encode("ascii"), strict_mode=True) if data else b""
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if content.startswith(_AGGREGATED):
        raise ValueError(f"aggregated by the Kinesis Producer Library, which DynamoDB does not use. {_ONLY_CHANGES}")
    return content


def table_name(name: str) -> str:
    """The name, if a table can have it.

    Raises:
        ValueError: No table can.
    """
    if not _TABLE(name):
        raise ValueError("not a table's name")
    return name


def microseconds(created: object, precision: object) -> int:
    """The time of a change, epoch microseconds.

    Args:
        created: `ApproximateCreationDateTime`.
        precision: `ApproximateCreationDateTimePrecision`; None, as in records from before there was such a choice, is
            milliseconds.

    Raises:
        ValueError: Not a time between 2001 and 2286, where microseconds have 16 digits. A time of the other precision
            is outside: milliseconds taken for microseconds would be older than every change, the reverse newer.
        KeyError, TypeError: Not a precision.
    """
    if type(created) is not int:
        raise ValueError("not a whole number")
    created_us = created * _UNIT_MICROSECONDS[precision]
    if not _EARLIEST <= created_us < _END:
        raise ValueError("not a time between 2001 and 2286 at the precision given")
    return created_us
