"""Validation of items by a model of one's own."""

import warnings
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    field_validator,
    model_validator,
)
from tests.core.strategies import MARKER, items

from ddb_cache_sync import ConfigurationError, Image, RecordError, image_of, include, validate_with
from ddb_cache_sync.core.transforms import apply_transforms


class Status(Enum):
    ACTIVE = "active"


class User(BaseModel):
    """A model as most are written."""

    id: str
    age: int
    score: float = 0.0
    status: Status = Status.ACTIVE
    tags: list[str] = []
    joined: datetime | None = None


def validated(model: Any, item: dict[str, Any], **options: Any) -> Any:
    """What becomes of an item of Python values."""
    result = apply_transforms([validate_with(model, **options)], image_of(item))
    assert result is not None
    return result.wire


def test_an_item_that_fits_becomes_what_its_model_dumps() -> None:
    """Defaults filled in, dates and enumerations as text, attributes that the model lacks left out."""
    item = {"id": "42", "age": 30, "score": Decimal("0.5"), "tags": {"a"}, "joined": 1745415436, "password": "x"}
    assert validated(User, item) == {
        "id": {"S": "42"},
        "age": {"N": "30"},
        "score": {"N": "0.5"},
        "status": {"S": "active"},
        "tags": {"L": [{"S": "a"}]},
        "joined": {"S": "2025-04-23T13:37:16Z"},
    }


class Exact(BaseModel):
    """Keeps the types that DynamoDB has."""

    price: Decimal
    picture: bytes
    sizes: frozenset[int]


EXACT = {"price": Decimal("1234567890.1234567890123456789012345678"), "picture": b"\xff", "sizes": {1, 2}}


def test_mode_python_keeps_decimals_bytes_and_sets() -> None:
    """Every digit, as without a model."""
    assert validated(Exact, EXACT, mode="python") == image_of(EXACT).wire


def test_mode_json_writes_decimals_as_text_and_sets_as_lists() -> None:
    """As pydantic writes JSON."""
    assert validated(Exact, {**EXACT, "picture": b"a"}) == {
        "price": {"S": "1234567890.1234567890123456789012345678"},
        "picture": {"S": "a"},
        "sizes": {"L": [{"N": "1"}, {"N": "2"}]},
    }


def test_what_can_not_be_dumped_makes_a_poison_record() -> None:
    """Bytes that are no text; the bytes are not repeated."""
    with pytest.raises(RecordError, match=r"^the item fits Exact, but can't be dumped in mode 'json'\. Bytes that"):
        validated(Exact, EXACT)

    class Dated(BaseModel):
        joined: datetime

    with pytest.raises(RecordError, match=r"^item\.joined: a datetime has no DynamoDB type$"):
        validated(Dated, {"joined": 1}, mode="python")


def test_aliases_are_the_names_of_attributes() -> None:
    """On the way in and on the way out."""

    class Named(BaseModel):
        user_id: Annotated[str, Field(alias="userId")]

    assert validated(Named, {"userId": "42"}) == {"userId": {"S": "42"}}
    with pytest.raises(RecordError, match=r"userId: missing$"):
        validated(Named, {"user_id": "42"})


class Strict(BaseModel):
    """Refuses more than most."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=2)]
    age: int
    nested: dict[str, int] = {}

    @field_validator("age")
    @classmethod
    def never_thirteen(cls, age: int) -> int:
        """Quotes the content, as validators do."""
        if age == 13:
            raise ValueError(f"{MARKER} {age}")
        return age

    @model_validator(mode="after")
    def never_both(self) -> "Strict":
        """Finds fault with the item as a whole."""
        assert self.id != "no", MARKER
        return self


@pytest.mark.parametrize(
    ("item", "faults"),
    [
        ({}, "id: missing, age: missing"),
        ({"id": MARKER, "age": MARKER}, "id: string_too_long, age: int_parsing"),
        ({"id": 1, "age": Decimal("1.5")}, "id: string_type, age: int_from_float"),
        ({"id": "a", "age": 13}, "age: value_error"),
        ({"id": "no", "age": 1}, "item: assertion_error"),
        ({"id": "a", "age": 1, "nested": {MARKER: MARKER, f"{MARKER}2": MARKER}}, "nested: int_parsing"),
        ({"id": "a", "age": 1, "more": MARKER}, "more: extra_forbidden"),
        (
            {"id": "a", "age": 1} | {f"x{n}": MARKER for n in range(9)},
            ", ".join(f"x{n}: extra_forbidden" for n in range(5)) + " and 4 more",
        ),
        ({"id": "a", "age": 1, "n" * 300: 1}, f"{'n' * 255}: extra_forbidden"),
    ],
)
def test_an_item_that_does_not_fit_makes_a_poison_record(item: dict[str, Any], faults: str) -> None:
    """The error names attributes and pydantic's codes, once each, and quotes nothing."""
    with pytest.raises(RecordError) as caught:
        validated(Strict, item)
    assert str(caught.value) == f"the item does not fit Strict: {faults}"


def test_a_validator_that_breaks_makes_a_poison_record() -> None:
    """With an exception that pydantic does not take for a verdict."""

    def broken(_: str) -> str:
        raise KeyError(MARKER)

    class Broken(BaseModel):
        id: Annotated[str, AfterValidator(broken)]

    with pytest.raises(RecordError, match=r"^the transform raised KeyError$"):
        validated(Broken, {"id": "a"})


def test_a_malformed_item_is_told_from_one_that_does_not_fit() -> None:
    """It can't be decoded."""
    with pytest.raises(RecordError, match=r"^item: not a decimal number$"):
        apply_transforms([validate_with(User)], Image({"id": {"S": "a"}, "age": {"N": MARKER}}))


def test_a_model_of_one_mapping_works() -> None:
    """One of anything else gives no item."""
    assert validated(RootModel[dict[str, int]], {"a": 1}) == {"a": {"N": "1"}}

    class Names(RootModel[list[str]]):
        @model_validator(mode="before")
        @classmethod
        def keys(cls, item: Any) -> Any:
            """Only the names."""
            return list(item)

    with pytest.raises(RecordError, match=r"^the transform gave a list, not an item or None$"):
        validated(Names, {"a": 1})


def test_pydantics_warnings_are_not_printed() -> None:
    """They quote the contents."""

    def quietly(value: Any, write: SerializerFunctionWrapHandler) -> Any:
        return write(value)

    class Sloppy(BaseModel):
        age: Annotated[int, WrapSerializer(quietly)]

        @model_validator(mode="after")
        def spoil(self) -> "Sloppy":
            """Puts in what is not of the field's type."""
            self.__dict__["age"] = MARKER
            return self

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert validated(Sloppy, {"age": 1}) == {"age": {"S": MARKER}}
    assert caught == []


@pytest.mark.parametrize("wrong", [None, "User", dict, BaseModel, User(id="a", age=1), list[int]])
def test_a_model_is_a_class_of_ones_own(wrong: Any) -> None:
    """Refused at once, before any record."""
    with pytest.raises(ConfigurationError, match="not a pydantic model of your own"):
        validate_with(wrong)


def test_a_model_that_is_not_complete_is_refused() -> None:
    """Else every record would be a poison record."""

    class Unfinished(BaseModel):
        id: "NowhereDefined"  # type: ignore[name-defined]  # noqa: F821 - that is the point

    with pytest.raises(ConfigurationError, match=r"^the model Unfinished names types that are not defined"):
        validate_with(Unfinished)


def test_an_unknown_mode_is_refused() -> None:
    """At once."""
    with pytest.raises(ConfigurationError, match="unknown mode"):
        validate_with(User, mode="yaml")  # type: ignore[arg-type]


class Anything(BaseModel):
    """Lets everything through."""

    model_config = ConfigDict(extra="allow")


@given(items)
def test_a_model_that_allows_everything_changes_nothing_in_mode_python(item: dict[str, Any]) -> None:
    """Whatever the item holds; after another transform as well."""
    image = Image(item)
    anything = validate_with(Anything, mode="python")
    assert apply_transforms([anything], image) == image
    assert apply_transforms([include("a"), anything], image) == include("a")(image)
