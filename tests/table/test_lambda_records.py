from datetime import UTC, datetime
from typing import Any

from ddb_cache_sync.table.lambda_records import to_lambda_record

ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"

ALL_TYPES: dict[str, Any] = {
    "string": {"S": "a"},
    "number": {"N": "12345678901234567890123456789012345678"},
    "binary": {"B": b"foobar"},
    "boolean": {"BOOL": False},
    "null": {"NULL": True},
    "map": {"M": {"inner": {"B": b"\xff"}, "deep": {"M": {"list": {"L": [{"BS": [b"a"]}]}}}}},
    "list": {"L": [{"B": b""}, {"N": "1"}]},
    "strings": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "binaries": {"BS": [b"a", b"b"]},
}


def test_a_record_is_turned_into_what_lambda_delivers() -> None:
    """Names, base64 text and the epoch number are those of Lambda's own event."""
    created = datetime(2024, 11, 25, 15, 53, 20, tzinfo=UTC)
    record: Any = {
        "eventID": "c4ca42",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            "Keys": {"pk": {"B": b"foobar"}},
            "OldImage": {"pk": {"B": b"foobar"}},
            "SequenceNumber": "202328600001712385967261751",
            "SizeBytes": 70,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    }
    delivered = to_lambda_record(record, ARN)
    assert delivered == {
        "eventID": "c4ca42",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1732550000.0,
            "Keys": {"pk": {"B": "Zm9vYmFy"}},
            "OldImage": {"pk": {"B": "Zm9vYmFy"}},
            "SequenceNumber": "202328600001712385967261751",
            "SizeBytes": 70,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        "eventSourceARN": ARN,
    }
    assert isinstance(delivered["dynamodb"]["ApproximateCreationDateTime"], float)


def test_each_of_the_ten_types_has_lambdas_form_however_deep() -> None:
    """Only binary values differ between boto3 and Lambda."""
    record: Any = {"dynamodb": {"Keys": {"pk": {"S": "a"}}, "NewImage": ALL_TYPES, "SequenceNumber": "1"}}
    assert to_lambda_record(record, ARN)["dynamodb"]["NewImage"] == {
        **ALL_TYPES,
        "binary": {"B": "Zm9vYmFy"},
        "map": {"M": {"inner": {"B": "/w=="}, "deep": {"M": {"list": {"L": [{"BS": ["YQ=="]}]}}}}},
        "list": {"L": [{"B": ""}, {"N": "1"}]},
        "binaries": {"BS": ["YQ==", "Yg=="]},
    }
    assert ALL_TYPES["binary"] == {"B": b"foobar"}


def test_what_a_record_lacks_is_not_made_up() -> None:
    """No image, time or identity appears that was not there."""
    record: Any = {"dynamodb": {"Keys": {"pk": {"S": "a"}}, "SequenceNumber": "1"}}
    assert to_lambda_record(record, ARN) == {**record, "eventSourceARN": ARN}


def test_a_fraction_of_a_second_is_kept() -> None:
    """Emulators give more than whole seconds."""
    created = datetime(2024, 11, 25, 15, 53, 20, 250_000, tzinfo=UTC)
    record: Any = {"dynamodb": {"ApproximateCreationDateTime": created}}
    assert to_lambda_record(record, ARN)["dynamodb"]["ApproximateCreationDateTime"] == 1732550000.25
