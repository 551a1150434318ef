"""Stream records in the form that Lambda delivers them. Pure: no I/O."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodbstreams.type_defs import RecordTypeDef


def to_lambda_record(record: RecordTypeDef, stream_arn: str) -> dict[str, Any]:
    """Turn a record as boto3's GetRecords gives it into the JSON that Lambda delivers.

    Binary values become base64 text, the creation time an epoch number in seconds, the user identity's names start
    in lower case, and `eventSourceARN` is added. The record given is left as it is.
    """
    body: dict[str, Any] = {**record.get("dynamodb", {})}
    created = body.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        body["ApproximateCreationDateTime"] = created.timestamp()
    for part in ("Keys", "NewImage", "OldImage"):
        if part in body:
            body[part] = {name: _to_lambda_value(value) for name, value in body[part].items()}
    delivered: dict[str, Any] = {**record, "dynamodb": body}
    identity = record.get("userIdentity")
    if identity:
        delivered["userIdentity"] = {name[:1].lower() + name[1:]: value for name, value in identity.items()}
    delivered["eventSourceARN"] = stream_arn
    return delivered


def _to_lambda_value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64encode(content).decode("ascii")}
        case "BS":
            return {"BS": [base64.b64encode(member).decode("ascii") for member in content]}
        case "M":
            return {"M": {name: _to_lambda_value(member) for name, member in content.items()}}
        case "L":
            return {"L": [_to_lambda_value(member) for member in content]}
        case _:
            return {kind: content}
