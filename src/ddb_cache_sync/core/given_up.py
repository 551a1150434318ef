"""What was given up or set aside, read back: on-failure records of Lambda, and documents of a quarantine. Pure.

| the object has | it is | what is in it |
|---|---|---|
| `quarantine` and `payload` | a document of a quarantine | the record |
| `DDBStreamBatchInfo` or `KinesisBatchInfo`, and `payload` | what Lambda keeps in S3 | the event, text or object |
| `DDBStreamBatchInfo` alone | what Lambda sends to a queue or a topic | where the records are in the stream |
| `gzip` alone | any of these, compressed, as a quarantine sends it to a queue | base64 |

Rule: all of it is untrusted. Bytes, expanded bytes and nesting are bounded before anything is looked at, and an error
says what is wrong and repeats nothing. Whether the records are of the right table is for the caller to check.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from ddb_cache_sync.core.quarantined import DOCUMENT_FORMAT
from ddb_cache_sync.core.stream_records import event_records
from ddb_cache_sync.core.versions import sortable_digits
from ddb_cache_sync.errors import RecordError

MOST_BYTES: Final = 32 * 2**20
"""Of an object, expanded. An event of 6 MB, escaped as text in JSON, takes 24 MB at the most that makes sense."""
MOST_NESTING: Final = 100
"""Of JSON. An item nests 32 deep at most, which takes two levels of JSON each, and some around it."""

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # zlib's number for gzip's own header
_BATCH_INFO: Final = ("DDBStreamBatchInfo", "KinesisBatchInfo")


class StreamRange(NamedTuple):
    """Where the records of a batch are in a stream."""

    stream_arn: str
    shard_id: str
    start: str
    """The sequence number of the first."""
    end: str
    """That of the last."""
    records: int
    """How many there were in the batch."""


class GivenUp(NamedTuple):
    """What one object or message holds: records, or where they are."""

    records: Sequence[Any]
    """As delivered, undecoded; none where there is a range."""
    range: StreamRange | None


def read_given_up(content: bytes) -> GivenUp:
    """Read an object or a message.

    Raises:
        RecordError: It is none of these, or past a bound.
    """
    found = _json(_expanded(content), "it")
    if isinstance(found, dict) and found.keys() == {"gzip"}:
        found = _json(_expanded(_bytes(found["gzip"])), "it")
    if not isinstance(found, dict):
        raise _unknown()
    if "quarantine" in found:
        about = found["quarantine"]
        if not isinstance(about, dict) or about.get("format") != DOCUMENT_FORMAT or "payload" not in found:
            raise RecordError("a document of a quarantine that can't be read", hint="Use the version that wrote it.")
    elif not any(isinstance(found.get(name), dict) for name in _BATCH_INFO):
        raise _unknown()
    if "payload" not in found:
        return GivenUp((), _range(found))
    payload = found["payload"]
    if isinstance(payload, str):
        payload = _json(payload.encode("utf-8", "replace"), "payload")
    try:
        return GivenUp(event_records(payload), None)
    except RecordError:
        raise RecordError("payload: not an event with records") from None


def compressed(document: str) -> str:
    """A document as one that takes less room, ASCII as well."""
    # Without the time, so that the same document gives the same text.
    packed = gzip.compress(document.encode(), mtime=0)
    return orjson.dumps({"gzip": base64.b64encode(packed).decode("ascii")}).decode()


def _expanded(content: bytes) -> bytes:
    if content.startswith(_GZIP):
        expander = zlib.decompressobj(_GZIP_WINDOW)
        try:
            content = expander.decompress(content, MOST_BYTES + 1)
        except zlib.error:
            raise RecordError("not gzip, though it begins like it") from None
        if len(content) <= MOST_BYTES and (not expander.eof or expander.unused_data):
            raise RecordError("gzip that is cut off, or goes on after its end")
    if len(content) > MOST_BYTES:
        raise RecordError(f"more than {MOST_BYTES:,} bytes")
    return content


def _bytes(text: object) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True) if isinstance(text, str) and text else b""
    except (binascii.Error, UnicodeEncodeError):
        raise RecordError("gzip: not base64") from None


def _json(content: bytes, name: str) -> Any:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise RecordError(f"{name} is not JSON") from None
    level: list[Any] = [found]
    for _ in range(MOST_NESTING):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return found
    raise RecordError(f"{name} is nested more than {MOST_NESTING} deep")


def _inside(value: Any) -> Iterable[Any]:
    """The objects and arrays in one."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in members if isinstance(each, dict | list)]


def _range(found: dict[str, Any]) -> StreamRange:
    info = found.get("DDBStreamBatchInfo")
    if not isinstance(info, dict):
        raise RecordError(
            "a place in a Kinesis data stream, without the records",
            hint="Let an S3 bucket be the on-failure destination: it gets the records.",
        )
    texts = [info.get(name) for name in ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")]
    records = info.get("batchSize")
    try:
        arn, shard_id, start, end = (text for text in texts if isinstance(text, str))
        if sortable_digits(start) <= sortable_digits(end) and type(records) is int and records > 0:
            return StreamRange(arn, shard_id, start, end, records)
    except ValueError:
        pass
    raise RecordError("DDBStreamBatchInfo: not a range of sequence numbers of a shard")


def _unknown() -> RecordError:
    return RecordError(
        "neither an on-failure record of a stream's event source mapping nor a document of a quarantine",
        hint="Apply an event as it is with ddb-cache-sync apply.",
    )
