"""What an attribute value means, by boto3's own deserializer, in a form in which unequal types are never equal."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer

_DESERIALIZER: Final = TypeDeserializer()


class NoOpinion(Exception):  # noqa: N818 - not an error of the code under test
    """The oracle refuses the value itself."""


def meaning(wire: Mapping[str, Any]) -> dict[str, Any]:
    """What an item means, given as boto3 has it.

    Raises:
        NoOpinion: boto3 does not take it.
    """
    try:
        return {name: told(_DESERIALIZER.deserialize(value)) for name, value in wire.items()}
    except Exception as error:
        raise NoOpinion from error


def told(value: Any) -> Any:
    """A Python value, ours or boto3's, with its type."""
    if isinstance(value, bool) or value is None:
        return ("truth", value)
    if isinstance(value, Binary):
        return ("bytes", bytes(value.value))  # type: ignore[attr-defined]  # its stub is empty
    if isinstance(value, bytes | bytearray):
        return ("bytes", bytes(value))
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, Decimal | int):
        return ("number", Decimal(value))
    if isinstance(value, Mapping):
        return ("map", {name: told(member) for name, member in value.items()})
    if isinstance(value, list):
        return ("list", [told(member) for member in value])
    assert isinstance(value, set | frozenset), f"a {type(value).__name__}"
    return ("set", frozenset(map(told, value)))


def plain(meant: Any) -> Any:
    """What JSON makes of a meaning: numbers as Decimal, bytes as base64 text, sets as arrays in any order."""
    kind, content = meant
    if kind == "bytes":
        return base64.b64encode(content).decode()
    if kind == "map":
        return {name: plain(member) for name, member in content.items()}
    if kind == "list":
        return [plain(member) for member in content]
    if kind == "set":
        return sorted(map(plain, content))
    return content
