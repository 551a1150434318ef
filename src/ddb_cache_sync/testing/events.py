"""Stream events as Lambda delivers them, built from Python values."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from ddb_cache_sync.core import python_values
from ddb_cache_sync.core.stream_records import ViewType

DEFAULT_STREAM_LABEL: Final = "2025-04-23T13:37:16.991"
DEFAULT_CREATED_AT: Final = 1_745_415_437.0
_FIRST_KINESIS_NUMBER: Final = 4965 * 10**52 + 2  # as long as real ones


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
    """The attributes of an item in DynamoDB JSON.

    Raises:
        TypeError, ValueError: As `attribute_value`'s; names the attribute.
    """
    wire = {}
    for name, value in item.items():
        try:
            wire[name] = attribute_value(value)
        except TypeError as error:
            raise TypeError(f"attribute {name}: {error}. Give numbers as int or Decimal.") from None
        except ValueError as error:
            raise ValueError(f"attribute {name}: {error}") from None
    return wire


def stream_record(
    key: Mapping[str, Any],
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    *,
    sequence_number: int | str = 1,
    table: str = "T",
    stream_label: str = DEFAULT_STREAM_LABEL,
    created_at: float = DEFAULT_CREATED_AT,
    view_type: ViewType = "NEW_AND_OLD_IMAGES",
    by_ttl: bool = False,
) -> dict[str, Any]:
    """One record of a table's stream.

    Args:
        key: The primary key, Python values.
        new: The item after the change; None: it was removed.
        old: The item before the change; None: there was none.
        sequence_number: Its place in the stream.
        table: The table's name.
        stream_label: When the stream was created, as in its ARN.
        created_at: When the change was made, epoch seconds.
        view_type: The stream's: which of the images the record has.
        by_ttl: The item was removed by DynamoDB's time to live.

    Raises:
        ValueError: A view type that there is none of, a time to live that put an item, or a value that no table could
            hold.
        TypeError: A value of a type that DynamoDB does not have.
    """
    if view_type not in get_args(ViewType):
        raise ValueError(f"view type {view_type!r}. There are {', '.join(get_args(ViewType))}.")
    if by_ttl and new is not None:
        raise ValueError("time to live removes items and puts none. Leave out the new image, or by_ttl.")
    body: dict[str, Any] = {
        "ApproximateCreationDateTime": created_at,
        "Keys": attributes(key),
        "SequenceNumber": str(sequence_number),
        "SizeBytes": 100,
        "StreamViewType": view_type,
    }
    if new is not None and "NEW" in view_type:
        body["NewImage"] = attributes(new)
    if old is not None and "OLD" in view_type:
        body["OldImage"] = attributes(old)
    record = {
        "eventID": f"{table}-{sequence_number}",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": body,
        "eventSourceARN": f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table}/stream/{stream_label}",
    }
    if by_ttl:
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return record


def stream_event(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The event with these records."""
    return {"Records": list(records)}


def kinesis_event(
    records: Iterable[Mapping[str, Any]], *, precision: Literal["MILLISECOND", "MICROSECOND"] | None = "MICROSECOND"
) -> dict[str, Any]:
    """The event with these records as a Kinesis data stream delivers them, in the order in which they arrived there.

    Args:
        records: Stream records. Their `created_at` is what orders them here; their sequence numbers are left out, as
            Kinesis gives each record one of its own.
        precision: That of the time of a change, as set for the table. None: milliseconds, as records from before there
            was such a choice have them.
    """
    return {"Records": [_kinesis_record(record, place, precision) for place, record in enumerate(records)]}


def _kinesis_record(record: Mapping[str, Any], place: int, precision: str | None) -> dict[str, Any]:
    kept = ("Keys", "NewImage", "OldImage", "SizeBytes")
    body = {name: value for name, value in record["dynamodb"].items() if name in kept}
    per_second = 1_000_000 if precision == "MICROSECOND" else 1000
    body["ApproximateCreationDateTime"] = round(record["dynamodb"]["ApproximateCreationDateTime"] * per_second)
    if precision is not None:
        body["ApproximateCreationDateTimePrecision"] = precision
    change = {
        "awsRegion": record["awsRegion"],
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "userIdentity": record.get("userIdentity"),
        "recordFormat": "application/json",
        "tableName": record["eventSourceARN"].split("/")[1],
        "dynamodb": body,
        "eventSource": "aws:dynamodb",
    }
    number = str(_FIRST_KINESIS_NUMBER + place)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["eventID"],
            "sequenceNumber": number,
            "data": base64.b64encode(json.dumps(change).encode()).decode(),
            "approximateArrivalTimestamp": record["dynamodb"]["ApproximateCreationDateTime"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::111122223333:role/function",
        "awsRegion": record["awsRegion"],
        "eventSourceARN": f"arn:aws:kinesis:{record['awsRegion']}:111122223333:stream/changes",
    }
