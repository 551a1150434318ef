"""Stream records, decoded and typed: from an event of any service that delivers them.

An image is checked when it is walked, once: by `decode_stream_event` for those who want only the decoder, by the
encoding for those who replicate.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change, ItemKey, Remove, Touch, Upsert, new_tuple
from ddb_cache_sync.core.kinesis_records import kinesis_sequence_number, opened
from ddb_cache_sync.core.versions import StreamArn, Version, label_prefix, sortable_digits
from ddb_cache_sync.errors import ConfigurationError, RecordError

EventName: TypeAlias = Literal["INSERT", "MODIFY", "REMOVE"]
ViewType: TypeAlias = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]

_EVENT_NAMES: Final[Mapping[str, EventName]] = {"INSERT": "INSERT", "MODIFY": "MODIFY", "REMOVE": "REMOVE"}
_VIEW_TYPES: Final[Mapping[str | None, ViewType | None]] = {
    None: None,
    "KEYS_ONLY": "KEYS_ONLY",
    "NEW_IMAGE": "NEW_IMAGE",
    "OLD_IMAGE": "OLD_IMAGE",
    "NEW_AND_OLD_IMAGES": "NEW_AND_OLD_IMAGES",
}
_SERVICE: Final = re.compile(r"aws:[a-z0-9-]{1,32}").fullmatch
_TTL_PRINCIPAL: Final = "dynamodb.amazonaws.com"
_WITHOUT_NEW_IMAGE: Final = ("KEYS_ONLY", "OLD_IMAGE")
_LEGACY_PREFIX: Final = "aws:rep:"
LEGACY_MARK: Final = "aws:rep:updatetime"
"""Global tables of version 2017.11.29 put this and two more on each item."""


class StreamRecord(NamedTuple):
    """One record of a table's stream."""

    event_name: EventName
    table: str
    keys: Image
    """The primary key."""
    sequence_number: str
    """As delivered, leading zeros included: the identifier that a batch item failure names. Kinesis' own, where a
    Kinesis data stream delivered the record."""
    version: Version
    new_image: Image | None
    """The item after the change; None where the record carries none (a removal, or a view type without it)."""
    old_image: Image | None
    """The item before the change; None where the record carries none."""
    view_type: ViewType | None
    """The stream's view type; None in hand-made events that leave it out, and from Kinesis, which has none."""
    created_at: float | None
    """When the change was made, epoch seconds, whole but from Kinesis: good for lag, not for order. None where left
    out."""
    is_ttl_removal: bool
    """DynamoDB's time to live removed the item. (Not marked in the other Regions of a global table.)"""

    def to_change(self) -> Change:
        """The change that this record describes.

        Raises:
            RecordError: An upsert without its image, though the view type has it.
        """
        key = ItemKey(self.table, self.keys)
        if self.event_name == "REMOVE":
            return Remove(key, self.version, self.old_image, self.is_ttl_removal)
        if self.new_image is not None:
            return Upsert(key, self.version, self.new_image, self.old_image)
        if self.view_type in _WITHOUT_NEW_IMAGE:
            return Touch(key, self.version)
        raise RecordError("dynamodb.NewImage: missing", sequence_number=self.sequence_number)


def decode_stream_event(event: object) -> list[StreamRecord]:
    """Decode every record of an event, images checked to the last value.

    Args:
        event: What Lambda hands to a function (`{"Records": [...]}`) for a DynamoDB stream or for a Kinesis data stream
            that the table writes to, or the bare list of records that EventBridge Pipes sends. Binary values may be
            base64 text (Lambda) or bytes (boto3).

    Returns:
        The records in the order of the event.

    Raises:
        RecordError: Not such an event, or a record that can't be decoded: names the field and the record's
            sequence number, never what is in it.
    """
    decoded = []
    for index, raw in enumerate(event_records(event)):
        record = decode_record(raw)
        for image in (record.keys, record.new_image, record.old_image):
            if image is not None and image.fault() is not None:
                raise malformed(raw, f"Records[{index}]")
        decoded.append(record)
    return decoded


def event_records(event: object) -> Sequence[Any]:
    """The records of an event, undecoded.

    Raises:
        RecordError: Not an event that holds records.
    """
    records = event.get("Records") if isinstance(event, Mapping) else event
    if isinstance(records, list | tuple):
        return records
    found = "an object without a list of Records" if isinstance(event, Mapping) else f"a {type(event).__name__}"
    raise RecordError(
        f"not a DynamoDB Streams event but {found}",
        hint='Pass on what Lambda gave the handler: {"Records": [...]}, or the list of records from EventBridge Pipes.',
    )


def decode_record(raw: Any, stream_label_ms: int | None = None) -> StreamRecord:
    """Decode one record; its images stay in wire form, unchecked, until they are read.

    Args:
        raw: The record, as parsed from JSON.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.

    Raises:
        RecordError: Names the wrong field and the record's sequence number, never what is in it.
    """
    event_name, table, keys, number, version, new, old, view_type, created, user = taken_apart(raw, stream_label_ms)
    return StreamRecord(
        event_name,
        table,
        Image(keys),
        number,
        version,
        None if new is None else Image(new),
        None if old is None else Image(old),
        view_type,
        created,
        is_ttl(user),
    )


def change_of(fields: "RecordFields", *, old_images: bool = False) -> Change:
    """The change that a record describes: the same as `decode_record(raw).to_change()`.

    Args:
        fields: What `taken_apart` gave.
        old_images: Whether the change has its `old` image.

    Raises:
        RecordError: Names the wrong field and the record's sequence number, never what is in it.
        ConfigurationError: Old images are asked for, and the stream's view type does not carry them.
    """
    event_name, table, keys, number, version, new, old, view_type, _, user = fields
    key = new_tuple(ItemKey, (table, Image(keys)))
    before = _old_image(event_name, table, number, view_type, old) if old_images else None
    if event_name == "REMOVE":
        return new_tuple(Remove, (key, version, before, user is not None and is_ttl(user)))
    if new is not None:
        return new_tuple(Upsert, (key, version, Image(new), before))
    if view_type in _WITHOUT_NEW_IMAGE:
        return Touch(key, version)
    raise RecordError("dynamodb.NewImage: missing", sequence_number=number)


RecordFields: TypeAlias = tuple[
    EventName,
    str,
    dict[str, Any],
    str,
    Version,
    dict[str, Any] | None,
    dict[str, Any] | None,
    ViewType | None,
    float | None,
    Any,
]
"""Event name, table, keys, sequence number, version, new image, old image, view type, time, user identity."""


def taken_apart(raw: Any, stream_label_ms: int | None) -> RecordFields:
    """The fields of a record, all checked but the attribute values.

    Args:
        raw: The record, as parsed from JSON.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.

    Raises:
        RecordError: Names the wrong field and the record's sequence number, never what is in it.
    """
    try:
        if "dynamodb" in raw:
            change, body = raw, raw["dynamodb"]
            sequence_number = body["SequenceNumber"]
            table, prefix = stream_source(raw["eventSourceARN"], stream_label_ms)
            if prefix is None:
                raise _no_label(raw)
            version = Version(prefix + sortable_digits(sequence_number))
            created = body.get("ApproximateCreationDateTime")
            view_type = _VIEW_TYPES[body.get("StreamViewType")]
        else:
            sequence_number, table, version, created, change = opened(raw, stream_label_ms)
            body, view_type = change["dynamodb"], None
        keys, new, old = body["Keys"], body.get("NewImage"), body.get("OldImage")
        if (
            not (type(keys) is dict and keys)
            or not (new is None or type(new) is dict)
            or not (old is None or type(old) is dict)
            # An integer that no float can hold makes isfinite raise OverflowError.
            or not (created is None or ((type(created) is float or type(created) is int) and isfinite(created)))
        ):
            raise malformed(raw)
        user = change.get("userIdentity")
        if user is not None:
            user.get  # noqa: B018 - refuses what is no object
        return (
            _EVENT_NAMES[change["eventName"]],
            table,
            keys,
            sequence_number,
            version,
            without_legacy_attributes(new) if new is not None and LEGACY_MARK in new else new,
            without_legacy_attributes(old) if old is not None and LEGACY_MARK in old else old,
            view_type,
            created,
            user,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise malformed(raw) from None


def is_ttl(user: Any) -> bool:
    """Whether this user identity is DynamoDB's time to live."""
    return user is not None and user.get("principalId") == _TTL_PRINCIPAL and user.get("type") == "Service"


def without_legacy_attributes(image: Mapping[str, Any]) -> dict[str, Any]:
    """The image without what global tables of version 2017.11.29 add to each item for themselves."""
    return {name: value for name, value in image.items() if not name.startswith(_LEGACY_PREFIX)}


def _old_image(
    event_name: EventName, table: str, number: str, view_type: ViewType | None, old: dict[str, Any] | None
) -> Image | None:
    """The old image that was asked for; None for an insert, which has none.

    Raises:
        ConfigurationError: The stream's view type leaves it out.
        RecordError: The view type has it, and the record does not.
    """
    if view_type not in (None, "NEW_AND_OLD_IMAGES"):
        raise ConfigurationError(
            f"the stream of table {table} has view type {view_type}, and lookup keys need the old images",
            hint="Make a new stream with NEW_AND_OLD_IMAGES: a stream keeps its view type.",
        )
    if old is None and event_name != "INSERT":
        raise RecordError("dynamodb.OldImage: missing", sequence_number=number)
    return None if old is None else Image(old)


def sequence_number_of(raw: Any) -> str | None:
    """The sequence number of a record that may be malformed elsewhere; None where it has none that can be named."""
    body = raw.get("dynamodb") if isinstance(raw, Mapping) else None
    number = body.get("SequenceNumber") if isinstance(body, Mapping) else None
    if not isinstance(number, str):
        return kinesis_sequence_number(raw)
    try:
        sortable_digits(number)
    except ValueError:
        return None
    return number


def malformed(raw: Any, where: str | None = None) -> RecordError:
    """The error for a record that was refused: says which field is wrong, and how.

    Args:
        raw: The record.
        where: How to name a record that has no sequence number, such as `Records[3]`.
    """
    number = sequence_number_of(raw)
    problem = _foreign_source(raw) or fault_in(raw) or "malformed"
    return RecordError(problem if number or where is None else f"{where}: {problem}", sequence_number=number)


def _foreign_source(raw: Any) -> str | None:
    """What is wrong with a record of another service; None for one of these, or of who knows whom."""
    source = (raw.get("eventSource") or raw.get("EventSource")) if isinstance(raw, Mapping) else None
    if source in (None, "aws:dynamodb", "aws:kinesis") or not isinstance(source, str) or not _SERVICE(source):
        return None
    return f"eventSource: {source}, not aws:dynamodb or aws:kinesis. Invoke the function from the table's stream"


def fault_in(raw: Any, *, old_image: bool = True) -> str | None:
    """What is wrong with a record, by its wire form; None if nothing is. No part of the hot path.

    Args:
        raw: The record.
        old_image: Whether its old image counts: no matter where it plays no part.
    """
    from ddb_cache_sync.core.wire import fault  # noqa: PLC0415 - pydantic is loaded only to explain

    return fault(raw, old_image=old_image)


@lru_cache(maxsize=256)  # a batch has one ARN; the bound keeps hostile input from filling memory
def stream_source(arn: str, stream_label_ms: int | None) -> tuple[str, str | None]:
    """The table of a stream and what its versions begin with; None where the stream's label is not a time.

    Raises:
        ValueError: Not the ARN of a table's stream.
    """
    stream = StreamArn.parse(arn)
    label_ms = stream.label_ms if stream_label_ms is None else stream_label_ms
    return stream.table, None if label_ms is None else label_prefix(label_ms)


def _no_label(raw: Any) -> RecordError:
    return RecordError(
        "eventSourceARN: its stream label is not a time, so the record has no place in the order of changes",
        sequence_number=sequence_number_of(raw),
        hint="Set stream_label (DDB_CACHE_SYNC_STREAM_LABEL) for a hand-made event.",
    )
