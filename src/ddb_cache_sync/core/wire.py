"""The wire form of a stream record, as pydantic models: what is right, and where a wrong one is wrong.

Records are decoded by hand (`stream_records`), since a model of the envelope alone costs more than the whole decoding;
these models say what is wrong with a record that was refused, and the tests hold both to the same verdict
(docs/adr/0003-pydantic-off-the-hot-path.md).
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ddb_cache_sync.core.attribute_values import decode_value, utf8_text
from ddb_cache_sync.core.kinesis_records import change_in, microseconds, part_of, table_name
from ddb_cache_sync.core.versions import StreamArn, sortable_digits


def _decodable(value: object) -> object:
    decode_value(value)
    return value


AttributeValue = Annotated[Any, PlainValidator(_decodable)]
Attributes = dict[Annotated[str, AfterValidator(utf8_text)], AttributeValue]


class WireUserIdentity(BaseModel):
    """Who made the change, where it was not a user: DynamoDB's TTL."""

    model_config = ConfigDict(strict=True, frozen=True)

    # Compared with TTL's and nothing else: whatever other services put here makes no record wrong.
    principalId: Any = None  # noqa: N815 - the wire's names
    type: Any = None


class WireStreamRecord(BaseModel):
    """The `dynamodb` member of a record."""

    model_config = ConfigDict(strict=True, frozen=True)

    Keys: Annotated[Attributes, Field(min_length=1)]
    SequenceNumber: Annotated[str, AfterValidator(sortable_digits)]
    NewImage: Attributes | None = None
    OldImage: Attributes | None = None
    ApproximateCreationDateTime: Annotated[float, Field(allow_inf_nan=False)] | None = None
    StreamViewType: Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"] | None = None


def _stream_arn(arn: str) -> str:
    StreamArn.parse(arn)
    return arn


class WireRecord(BaseModel):
    """One element of `Records` in the event that Lambda delivers."""

    model_config = ConfigDict(strict=True, frozen=True)

    eventName: Literal["INSERT", "MODIFY", "REMOVE"]  # noqa: N815 - the wire's names
    eventSourceARN: Annotated[str, AfterValidator(_stream_arn)]  # noqa: N815
    dynamodb: WireStreamRecord
    userIdentity: WireUserIdentity | None = None  # noqa: N815


class WireKinesisBody(BaseModel):
    """The `dynamodb` member of a change that comes through a Kinesis data stream."""

    model_config = ConfigDict(strict=True, frozen=True)

    Keys: Annotated[Attributes, Field(min_length=1)]
    NewImage: Attributes | None = None
    OldImage: Attributes | None = None
    ApproximateCreationDateTimePrecision: Literal["MILLISECOND", "MICROSECOND"] | None = None
    ApproximateCreationDateTime: Any

    @field_validator("ApproximateCreationDateTime")
    @classmethod
    def _time(cls, created: object, others: ValidationInfo) -> int:
        return microseconds(created, others.data.get("ApproximateCreationDateTimePrecision"))


class WireKinesisChange(BaseModel):
    """What a record of a Kinesis data stream holds, as JSON."""

    model_config = ConfigDict(strict=True, frozen=True)

    eventName: Literal["INSERT", "MODIFY", "REMOVE"]  # noqa: N815 - the wire's names
    tableName: Annotated[str, AfterValidator(table_name)]  # noqa: N815
    dynamodb: WireKinesisBody
    userIdentity: WireUserIdentity | None = None  # noqa: N815


def fault(record: object, *, old_image: bool = True) -> str | None:
    """What is wrong with a record, naming the first wrong field and none of its content; None if nothing is.

    Args:
        record: The record.
        old_image: Whether its old image counts.
    """
    kinesis = part_of(record)
    if kinesis is None:
        return _first_fault(WireRecord, record if old_image else _without_old_image(record))
    try:
        _, change = change_in(record)
    except ValueError as error:
        return str(error)
    problem = _first_fault(WireKinesisChange, change if old_image else _without_old_image(change))
    return None if problem is None else f"{kinesis[0]}data.{problem}"


def _first_fault(model: type[BaseModel], record: object) -> str | None:
    try:
        model.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = ".".join(str(part)[:255] for part in first["loc"]) or "record"
        return f"{path}: {first['msg'].removeprefix('Value error, ')}"
    return None


def _without_old_image(record: Any) -> Any:
    """The record without its old image, if it has one."""
    body = record.get("dynamodb") if isinstance(record, dict) else None
    if not isinstance(body, dict):
        return record
    return {**record, "dynamodb": {name: value for name, value in body.items() if name != "OldImage"}}
