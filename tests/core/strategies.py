"""What hypothesis makes: numbers, attribute values, items and records in wire form, and ways to spoil them."""

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from ddb_cache_sync import RecordError
from ddb_cache_sync.testing import stream_record

T = TypeVar("T")

MAX_DIGITS = 38


@st.composite
def plain_numbers(draw: st.DrawFn) -> str:
    """A number within DynamoDB's limits, as digits and an exponent."""
    digits = draw(st.integers(1, 10**MAX_DIGITS - 1))
    magnitude = draw(st.integers(-130, 125))
    sign = draw(st.sampled_from(["", "-"]))
    return f"{sign}{digits}E{magnitude - len(str(digits)) + 1}"


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """A number within DynamoDB's limits in any spelling: signs, zeros, points and exponents where they may stand."""
    digits = draw(st.one_of(st.integers(0, 20).map(str), st.integers(0, 10**20).map(str)))
    point = draw(st.integers(0, len(digits)))
    text = "0" * draw(st.integers(0, 3)) + digits[:point]
    if point < len(digits) or draw(st.booleans()):
        text += "." + digits[point:] + "0" * draw(st.integers(0, 3))
    if not text.strip("."):
        text = "0" + text
    exponent = draw(st.sampled_from(["", "e0", "E+1", "E-1", "E2", "e-002", "E40", "E-40"]))
    return draw(st.sampled_from(["", "+", "-"])) + text + exponent


sequence_numbers = st.one_of(
    st.integers(0, 10**40 - 1).map(str),
    st.sampled_from(["9", "10", "99", "100", "999", "1000"]),
    st.from_regex(r"0{0,5}[0-9]{1,40}", fullmatch=True).filter(str.isascii),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


def base64_text(content: bytes) -> str:
    """Bytes as a Lambda event holds them."""
    return base64.b64encode(content).decode()


binaries = st.binary(max_size=8)
scalars = st.one_of(
    texts.map(lambda text: {"S": text}),
    plain_numbers().map(lambda number: {"N": number}),
    binaries.map(lambda content: {"B": content}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members}),
    st.lists(plain_numbers(), min_size=1, max_size=3, unique=True).map(lambda members: {"NS": members}),
    st.lists(binaries, min_size=1, max_size=3, unique=True).map(lambda members: {"BS": members}),
)
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(names, children, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)
items = st.dictionaries(names, values, max_size=4)
"""Items in wire form, binary values as bytes (boto3's form)."""


def lambda_form(wire: Any) -> Any:
    """The same wire form with bytes as base64 text (Lambda's form)."""
    if isinstance(wire, bytes):
        return base64_text(wire)
    if isinstance(wire, dict):
        return {name: lambda_form(member) for name, member in wire.items()}
    return [lambda_form(member) for member in wire] if isinstance(wire, list) else wire


def record(**body: Any) -> dict[str, Any]:
    """A well-formed MODIFY record; `body` replaces members of its `dynamodb` member."""
    made = stream_record({"id": "a"}, {"id": "a", "n": 1}, {"id": "a", "n": 0}, sequence_number=111)
    made["dynamodb"] |= body
    return made


key_attributes = st.one_of(
    texts.map(lambda text: {"S": text}), plain_numbers().map(lambda n: {"N": n}), binaries.map(lambda b: {"B": b})
)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A well-formed record of any kind."""
    made = stream_record({"id": "a"}, {}, {}, sequence_number=draw(sequence_numbers))
    made["eventName"] = draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))
    body = made["dynamodb"]
    body["Keys"] = draw(st.dictionaries(names, key_attributes, min_size=1, max_size=2))
    for name, content in {
        "NewImage": items,
        "OldImage": items,
        "ApproximateCreationDateTime": st.one_of(
            st.integers(0, 2**40), st.floats(allow_nan=False, allow_infinity=False)
        ),
        "StreamViewType": st.sampled_from(["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]),
    }.items():
        kind = draw(st.sampled_from(["present", "present", "null", "absent"]))
        if kind == "absent":
            body.pop(name, None)
        else:
            body[name] = draw(content) if kind == "present" else None
    if draw(st.booleans()):
        made["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return lambda_form(made) if draw(st.booleans()) else made


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(
            ["", "S", "M", "INSERT", "REMOVE", "NEW_IMAGE", "1", "\ud800", "é", "1e999", "arn:aws:dynamodb"]
        ),
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.sampled_from(["S", "N", "B", "M", "L", "SS", "NULL", "\ud800"])),
            children,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
"""Anything that JSON can hold, and what Python's parser takes beyond it (NaN, Infinity, huge integers, surrogates)."""


def places(wire: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested JSON, as the path to it."""
    found = [path] if path else []
    if isinstance(wire, dict):
        for name, member in wire.items():
            found += places(member, (*path, name))
    elif isinstance(wire, list):
        for position, member in enumerate(wire):
            found += places(member, (*path, position))
    return found


def spoilt(wire: Any, path: tuple[Any, ...], content: Any) -> Any:
    """A copy of nested JSON with other content at one place; `...` leaves the place out."""
    if not path:
        return content
    name, *rest = path
    if isinstance(wire, list):
        replaced = spoilt(wire[name], tuple(rest), content)
        return [*wire[:name], *([] if replaced is ... else [replaced]), *wire[name + 1 :]]
    replaced = spoilt(wire[name], tuple(rest), content)
    rest_of = {other: member for other, member in wire.items() if other != name}
    return rest_of if replaced is ... else rest_of | {name: replaced}


@st.composite
def spoilt_records(draw: st.DrawFn) -> Any:
    """A record with one to three places replaced by anything, or left out."""
    made: Any = draw(records())
    for _ in range(draw(st.integers(1, 3))):
        where = places(made)
        if not where:
            break
        # Short paths first: the fields of the record are where most of the rules are.
        shallow = [path for path in where if len(path) <= 2]
        path = draw(st.sampled_from(shallow if draw(st.booleans()) else where))
        made = spoilt(made, path, draw(st.one_of(st.just(...), anything)))
    return made


MARKER = "SECRET"
"""Planted in contents; no error text may repeat it."""


class _Hostile(dict[str, Any]):
    """A mapping that fails when it is read, with contents in its error."""

    def items(self) -> Any:
        raise ValueError(MARKER)


class _Marked:
    """An object of no type that DynamoDB has."""

    def __repr__(self) -> str:
        return MARKER


_marked: st.SearchStrategy[Any] = st.sampled_from(
    [
        MARKER,
        MARKER + "\ud800",
        MARKER.encode(),
        bytearray(MARKER.encode()),
        memoryview(MARKER.encode()),
        frozenset({MARKER}),
        frozenset({MARKER, 1}),
        frozenset({(MARKER,)}),
        frozenset[str](),
        ValueError(MARKER),
        _Hostile(),
        _Marked(),
        10**400,
        Decimal("1E-131"),
        Decimal("sNaN"),
        ...,
    ]
)
any_python: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        _marked, st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.complex_numbers(), st.dates()
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(st.one_of(names, st.integers(), st.just("\ud800")), children, max_size=3),
    ),
    max_leaves=6,
)
"""Anything that code of one's own could give; its texts hold the marker."""


def outcome(call: Callable[[], T]) -> tuple[T | None, str]:
    """What a call gives, and the text of its `RecordError`; any other error is let out."""
    try:
        return call(), ""
    except RecordError as error:
        return None, str(error)
