"""Stream events as Lambda delivers them, built from Python values."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ddb_cache_sync.core import python_values

DEFAULT_STREAM_LABEL: Final = "2025-04-23T13:37:16.991"
DEFAULT_CREATED_AT: Final = 1_745_415_437.0


def attribute_value(value: Any) -> dict[str, Any]:
    """An attribute value in DynamoDB JSON, as Lambda delivers it.

    str is S; int and Decimal are N; bytes are B; bool, None, dict and list are BOOL, NULL, M and L; a set of one of
    the first three is SS, NS or BS.

    Raises:
        TypeError: A value of any other type: a float has digits that DynamoDB would not keep.
        ValueError: A value that no table could hold, such as a number of more than 38 digits.
    """
    return python_values.attribute_value(value, floats=False)


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an item in DynamoDB JSON."""
    return {name: attribute_value(value) for name, value in item.items()}


def stream_record(
    key: Mapping[str, Any],
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    *,
    sequence_number: int | str = 1,
    table: str = "T",
    stream_label: str = DEFAULT_STREAM_LABEL,
    created_at: float = DEFAULT_CREATED_AT,
) -> dict[str, Any]:
    """One record of a table's stream, with new and old images.

    Args:
        key: The primary key, Python values.
        new: The item after the change; None: it was removed.
        old: The item before the change; None: there was none.
        sequence_number: Its place in the stream.
        table: The table's name.
        stream_label: When the stream was created, as in its ARN.
        created_at: When the change was made, epoch seconds.
    """
    body: dict[str, Any] = {
        "ApproximateCreationDateTime": created_at,
        "Keys": attributes(key),
        "SequenceNumber": str(sequence_number),
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if new is not None:
        body["NewImage"] = attributes(new)
    if old is not None:
        body["OldImage"] = attributes(old)
    return {
        "eventID": f"{table}-{sequence_number}",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": body,
        "eventSourceARN": f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table}/stream/{stream_label}",
    }


def stream_event(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The event with these records."""
    return {"Records": list(records)}
