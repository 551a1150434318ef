"""Input of many shapes in a form to be read: events, records, items, stored values. Pure.

Rules:

1. What the input is shows from its shape: an object with `Records`, or a list, is an event; an object that tells its
   event or where it comes from is a record; another object is an item in DynamoDB JSON, bare or in a member `Item`. A
   stored value has any shape, so its reader names the encoding.
2. A number keeps all its digits; bytes become base64 text, sets sorted arrays.
3. A record that can't be decoded is told beside the others. No error repeats contents.
"""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from ddb_cache_sync.core.attribute_values import MAX_NESTING, Image, utf8_text
from ddb_cache_sync.core.encodings import Encoding, StoredValue
from ddb_cache_sync.core.stream_records import decode_record, event_records, malformed, sequence_number_of
from ddb_cache_sync.errors import RecordError

_DEEPEST: Final = 2 * MAX_NESTING  # far above what an item can have, far below what orjson can write
_HASH_HINT: Final = "Give a hash as one JSON object of texts, as redis-cli --json HGETALL prints it."


class ReadableRecord(NamedTuple):
    """One record, to be read; images are JSON values that orjson writes."""

    sequence_number: str | None
    """As delivered; None where it can't be read."""
    reason: str | None = None
    """Why it can't be decoded; None: it can, and only then there is more than the sequence number."""
    event: str | None = None
    """`INSERT`, `MODIFY` or `REMOVE`."""
    table: str | None = None
    keys: Any = None
    version: str | None = None
    """What the guard would hold."""
    created_at: float | None = None
    """When the change was made, epoch seconds; None where left out."""
    lag_seconds: float | None = None
    """From then to now; None where `created_at` is."""
    by_ttl: bool = False
    """DynamoDB's time to live removed the item."""
    new_image: Any = None
    """The item after the change; None where the record has none."""
    old_image: Any = None
    """The item before the change; None where the record has none."""


class Readable(NamedTuple):
    """What an input is: records, or one value."""

    records: tuple[ReadableRecord, ...] | None
    value: Any
    """An item or a stored value, as JSON values that orjson writes."""


def readable(text: bytes, now: float, stream_label_ms: int | None = None) -> Readable:
    """An event, a record or an item in DynamoDB JSON.

    Args:
        text: JSON.
        now: Epoch seconds, for the lag.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.

    Raises:
        RecordError: None of these.
    """
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RecordError(
            f"the input is not JSON (line {error.lineno}, column {error.colno})",
            hint="For a value that a cache holds, name its encoding: --encoding json+zlib, for instance.",
        ) from None
    if isinstance(given, list) or (isinstance(given, dict) and isinstance(given.get("Records"), list)):
        return Readable(tuple(_record(raw, now, stream_label_ms) for raw in event_records(given)), None)
    if not isinstance(given, dict):
        raise RecordError("the input is neither an event nor a record nor an item", hint="Give a JSON object.")
    # Text in a record, and an attribute value in an item.
    if any(isinstance(given.get(name), str) for name in ("eventName", "eventSource", "eventSourceARN")):
        return Readable((_record(given, now, stream_label_ms),), None)
    return Readable(None, _item(given))


def readable_value(stored: bytes, encoding: Encoding) -> Readable:
    """A value that a cache key holds, as a reader of this encoding finds it.

    Args:
        stored: What `GET` gave, or for a hash what `HGETALL` gave, as a JSON object of texts.
        encoding: How it was written.

    Raises:
        RecordError: No value of this encoding.
    """
    value: StoredValue = _hash(stored) if encoding.kind == "hash" else stored
    tries = [value]
    if isinstance(value, bytes) and value.endswith(b"\n"):
        tries.append(value[:-1])  # redis-cli ends what it prints with a line feed
    for each in tries:
        try:
            decoded = encoding.decode(each)
            return Readable(None, _plain_text(decoded) if isinstance(decoded, bytes) else json_form(decoded))
        except ValueError:
            continue
    raise RecordError("the input is no value of this encoding", hint="Name the encoding that wrote it.")


def json_form(value: Any, depth: int = 0) -> Any:
    """A Python value that a decoder gave, as orjson writes it.

    Raises:
        ValueError: Text that is no Unicode, or nested deeper than any item.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    match value:
        case str():
            utf8_text(value)  # for its check
        case Decimal():
            value = orjson.Fragment(str(value))
        case bytes():
            value = base64.b64encode(value).decode()
        case Mapping():
            value = {utf8_text(name): json_form(member, depth + 1) for name, member in value.items()}
        case list():
            value = [json_form(member, depth + 1) for member in value]
        case frozenset():  # numbers by what they are, bytes by their text: the order that JsonEncoding has
            numbers = all(isinstance(member, Decimal) for member in value)
            value = [json_form(member) for member in sorted(value)] if numbers else sorted(map(json_form, value))
        case _:
            pass
    return value


def _record(raw: Any, now: float, stream_label_ms: int | None) -> ReadableRecord:
    try:
        record = decode_record(raw, stream_label_ms)
        for image in (record.keys, record.new_image, record.old_image):
            if image is not None and image.fault() is not None:
                raise malformed(raw)
    except RecordError as error:
        return ReadableRecord(sequence_number_of(raw), error.problem)
    created = record.created_at
    return ReadableRecord(
        record.sequence_number,
        None,
        record.event_name,
        record.table,
        json_form(record.keys),
        str(record.version),
        created,
        None if created is None else now - created,
        record.is_ttl_removal,
        json_form(record.new_image),
        json_form(record.old_image),
    )


def _item(given: dict[str, Any]) -> Any:
    image = Image(given)
    fault = image.fault()
    inner = given.get("Item")
    if fault is not None and isinstance(inner, dict):  # as an export's line and GetItem's answer have it
        image = Image(inner)
        fault = image.fault()
    if fault is not None:
        raise RecordError(
            f"the input is neither an event nor a record, nor an item in DynamoDB JSON: {fault}",
            hint="For a value that a cache holds, name its encoding: --encoding json, for instance.",
        )
    return json_form(image)


def _plain_text(content: bytes) -> str:
    """Bytes as the text that they are, else as base64 text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()


def _hash(stored: bytes) -> dict[str, bytes]:
    try:
        given = orjson.loads(stored)
    except orjson.JSONDecodeError:
        raise RecordError("the input is not JSON", hint=_HASH_HINT) from None
    if not isinstance(given, dict) or not all(isinstance(content, str) for content in given.values()):
        raise RecordError("the input is no object of texts", hint=_HASH_HINT)
    return {name: content.encode() for name, content in given.items()}
