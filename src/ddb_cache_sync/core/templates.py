"""Templates: text with places for attribute values, from which the values could be read back.

Rules, so that two lists of values never give the same text and no value can forge a hash tag:

1. In a value, these characters become `%` and two upper-case hex digits for each UTF-8 byte: `%`, `{`, `}`, `:`, ASCII
   controls, and whatever punctuation the template puts between two placeholders.
2. N is written in plain form (`1`, `1.0` and `1E0` are one key), B as base64url without padding.
3. Between two placeholders stands at least one character that rule 1 can escape.
4. In a text of more than `max_bytes`, each value of more than 64 bytes becomes `%#` and its SHA-256 as base64url; in a
   hash tag it does so in every text, so that the tag depends on nothing but its own values.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from ddb_cache_sync.core.attribute_values import decode_bytes, decode_text, tag_and_wire, utf8_text
from ddb_cache_sync.core.numbers import plain_number
from ddb_cache_sync.errors import ConfigurationError, RecordError

DEFAULT_MAX_KEY_BYTES: Final = 1024
"""ElastiCache Serverless takes key names up to 4 KiB; the guard's must fit as well, and short keys cost less memory."""

LONG_VALUE_BYTES: Final = 64
"""Values up to this are never shortened."""
_ALWAYS_ESCAPED: Final = r"%{}:\x00-\x1f\x7f"
_SEPARATOR: Final = re.compile(r"[{}:\x00-\x1f\x7f]").match  # of these, a % is what an escape begins with
_PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_UNESCAPABLE: Final = frozenset("0123456789ABCDEFabcdef%")  # what an escape is itself made of
_VALUE: Final = r"(?:%#[0-9A-Za-z_-]{43}|(?:%[0-9A-F]{2}|[^%{}:\x00-\x1f\x7f])+)"
"""What a value can be in a text, by rules 1 and 4."""


Escape: TypeAlias = Callable[[str], str]


class Template:
    """Text with places for attribute values: `{name}` for the attribute `name`, `{table}` for the table's name.

    Args:
        template: The template; `{{` and `}}` stand for braces.
        max_bytes: Texts longer than this (bytes of UTF-8) are shortened by rule 4.

    Raises:
        ConfigurationError: A template that can't keep any two lists of values apart.
    """

    __slots__ = ("_attributes", "_escape", "_literals", "_names", "_odd", "_tagged", "max_bytes", "template")

    def __init__(self, template: str, *, max_bytes: int = DEFAULT_MAX_KEY_BYTES) -> None:
        self.template: Final = template
        self.max_bytes: Final = max_bytes
        literals, names = _parse(template)
        self._literals: Final = literals
        self._names: Final = names
        self._attributes: Final = frozenset(names) - {"table"}
        special = _special(template, literals[1:-1])
        self._escape: Final = _escape_of(special, literals[1:-1])
        self._odd: Final = re.compile(rf"{special.pattern}|[^\x00-\x7f]").search  # in what can't be put in as it is
        if not self._attributes:
            raise ConfigurationError(
                f"key template {template!r} names no attribute", hint="Name one in braces, as in users:{id}."
            )
        self._tagged: Final = _places_in_hash_tag(template, literals)
        longest = sum(len(text.encode()) for text in literals) + LONG_VALUE_BYTES * len(names)
        if longest > max_bytes:
            raise ConfigurationError(
                f"key template {template!r} does not fit into {max_bytes} bytes even when shortened"
            )

    @property
    def places(self) -> list[str]:
        """The names of the attributes, in the order of their places; one that has two is there twice."""
        return [name for name in self._names if name != "table"]

    @property
    def beginning(self) -> str:
        """What every text begins with; empty where a value comes first."""
        return self._literals[0]

    @property
    def names_table(self) -> bool:
        """Whether texts have the table's name in them."""
        return "table" in self._names

    @property
    def has_hash_tag(self) -> bool:
        """Whether texts have a hash tag of their own."""
        return any("{" in literal for literal in self._literals)

    def apart_from(self, other: "Template", table: str | None = None, other_table: str | None = None) -> bool:
        """Whether no text of this template can be one of the other, whatever the values are; False: it can't be told.

        No value has one of the characters that are always escaped. So they part every text of a template in the same
        places, and two texts are the same only if all parts are.

        Args:
            other: The other template.
            table: The name of the table that both are for. None: any tables, not even the same.
            other_table: That of the other, where it is for another table. None: the same.
        """
        mine, theirs = _parts(self._literals_for(table)), _parts(other._literals_for(other_table or table))  # noqa: SLF001 - of the same class
        return len(mine) != len(theirs) or not all(map(_Part.may_be, mine, theirs))

    def beginning_for(self, table: str) -> str:
        """What every text begins with for this table."""
        return self._literals_for(table)[0]

    def values_of(self, text: str) -> dict[str, str] | None:
        """The values of a text, unescaped, by name; None: it has another form, or was shortened.

        A text that has this form all the same, and is none of this template's, gives values that give another text.
        """
        pattern = "(.*?)".join(re.escape(literal) for literal in self._literals)
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match is None or any(value.startswith("%#") for value in match.groups()):
            return None
        found = dict(zip(self._names, match.groups(), strict=True))
        try:
            return {name: unquote_to_bytes(value).decode() for name, value in found.items()}
        except UnicodeDecodeError:
            return None

    def form_for(self, table: str) -> re.Pattern[str]:
        """The form that every text for this table has, the shortened ones too, from its beginning to its end."""
        return _form(*self._literals_for(table))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.template!r})"

    def __str__(self) -> str:
        return f"template {self.template!r}"

    def _literals_for(self, table: str | None) -> Sequence[str]:
        """The literals, the table's name put into them; None: it is one of the values."""
        if table is None or not self.names_table:
            return self._literals
        found = [self._literals[0]]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            if name == "table":
                found[-1] += self._escape(table) + literal
            else:
                found.append(literal)
        return found

    def text(self, table: str, wire: Mapping[str, Any]) -> str:
        """The text for these attributes, in DynamoDB JSON.

        Raises:
            KeyError: An attribute of the template is not there.
            RecordError: An attribute that is not a well-formed S, N or B.
        """
        escape = self._escape
        values = []
        for name in self._names:
            values.append(escape(table if name == "table" else key_value_text(name, wire[name])))  # noqa: PERF401 - in Python 3.11 a comprehension is a call
        if self._tagged:
            for place in self._tagged:
                values[place] = _short(values[place])
        return join(self._literals, values, self.max_bytes)


@lru_cache(maxsize=64)
def _form(*literals: str) -> re.Pattern[str]:
    return re.compile(_VALUE.join(map(re.escape, literals)))


class _Part(NamedTuple):
    """What stands between two characters that no value has."""

    separator: str
    """The character before it; empty at the beginning."""
    start: str
    end: str | None
    """What comes after the values in it; None: there are none, and `start` is all of it."""

    def may_be(self, other: "_Part") -> bool:
        """Whether the same text can stand in both places."""
        if self.separator != other.separator:
            return False
        if self.end is None and other.end is None:
            return self.start == other.start
        if self.end is None or other.end is None:
            text, (_, start, end) = (self.start, other) if self.end is None else (other.start, self)
            return text.startswith(start) and text.endswith(end or "")
        return _begin_alike(self.start, other.start) and _begin_alike(self.end[::-1], other.end[::-1])


def _begin_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _parts(literals: Sequence[str]) -> list[_Part]:
    """The parts of a template, between the characters that no value has."""
    parts = [_Part("", "", None)]
    for place, literal in enumerate(literals):
        if place > 0:  # a value stands before it
            parts[-1] = parts[-1]._replace(end="")
        for character in literal:
            last = parts[-1]
            if _SEPARATOR(character):
                parts.append(_Part(character, "", None))
            elif last.end is None:
                parts[-1] = last._replace(start=last.start + character)
            else:
                parts[-1] = last._replace(end=last.end + character)
    return parts


def key_value_text(name: str, value: object) -> str:
    """The text of a key attribute, before escaping.

    Args:
        name: The attribute's name, for the error.
        value: Its attribute value in DynamoDB JSON.

    Raises:
        RecordError: Not a well-formed S, N or B.
    """
    # Most keys are plain strings: looked at here, without a call for each check.
    if type(value) is dict and len(value) == 1:
        text = value.get("S")
        if type(text) is str and text.isascii():
            return text
    try:
        tag, wire = tag_and_wire(value)
        if tag == "S":
            return utf8_text(wire)
        if tag == "N":
            return plain_number(decode_text(wire))
        if tag == "B":
            return base64.urlsafe_b64encode(decode_bytes(wire)).rstrip(b"=").decode()
    except ValueError as error:
        raise RecordError(f"dynamodb.Keys.{name}: {error}") from None
    raise RecordError(f"dynamodb.Keys.{name}: not of a key's type: S, N or B")


def join(literals: Sequence[str], values: Sequence[str], max_bytes: int) -> str:
    """Put escaped values between literals (one more of them), shortened by rule 4 where the key is too long."""
    if len(values) == 1:
        key = literals[0] + values[0] + literals[1]
    else:
        key = literals[0] + "".join([value + literal for value, literal in zip(values, literals[1:], strict=True)])
    if 4 * len(key) <= max_bytes or len(key.encode()) <= max_bytes:
        return key
    return literals[0] + "".join([_short(value) + literal for value, literal in zip(values, literals[1:], strict=True)])


def _short(value: str) -> str:
    text = value.encode()
    if len(text) <= LONG_VALUE_BYTES:
        return value
    return "%#" + base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def escape_for(template: str, separators: Sequence[str]) -> Escape:
    """The escape that keeps the values of a template apart (rules 1 and 3)."""
    return _escape_of(_special(template, separators), separators)


def _special(template: str, separators: Sequence[str]) -> re.Pattern[str]:
    """What is escaped in the values of a template."""
    escaped = _ALWAYS_ESCAPED
    for separator in separators:
        possible = [character for character in separator if character not in _UNESCAPABLE]
        if not possible:
            raise ConfigurationError(
                f"key template {template!r} puts nothing between two placeholders that keeps them apart",
                hint="Put a separator between them, such as a colon.",
            )
        # A character that is escaped anyway does it; else the first possible one is escaped from now on.
        if not any(character in "%{}:" for character in possible):
            escaped += re.escape(possible[0])
    return re.compile(f"[{escaped}]")


def _escape_of(special: re.Pattern[str], separators: Sequence[str]) -> Escape:
    search, sub = special.search, special.sub
    plain = not any(character.isalnum() for separator in separators for character in separator)

    def escape(value: str) -> str:
        # No letter or digit is escaped unless a template asks for it, and most key values have nothing else.
        if plain and value.isalnum():
            return value
        return value if search(value) is None else sub(_percent, value)

    return escape


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _parse(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Literals and placeholder names of a template, in turn; one more literal than names."""
    try:
        utf8_text(template)
    except ValueError as error:
        raise ConfigurationError(f"key template {template!r}: {error}") from None
    literals, names, start = [""], [], 0
    for match in _PLACEHOLDER.finditer(template):
        literals[-1] += template[start : match.start()]
        start = match.end()
        if match[1] is not None:
            names.append(match[1])
            literals.append("")
        elif match[0] in ("{{", "}}"):
            literals[-1] += match[0][0]
        else:
            raise ConfigurationError(
                f"key template {template!r} has a single brace at character {match.start() + 1}",
                hint="Write {name} for an attribute and {{ or }} for a brace.",
            )
    literals[-1] += template[start:]
    if any("%" in literal for literal in literals):
        raise ConfigurationError(f"key template {template!r} has a %, which marks escaped characters in keys")
    return tuple(literals), tuple(names)


def _places_in_hash_tag(template: str, literals: Sequence[str]) -> range:
    """The places of the values in the hash tag. Braces make one or are wrong: values have none, as a sample shows."""
    sample = "x".join(literals)
    if "{" not in sample and "}" not in sample:
        return range(0)
    opening, closing = sample.find("{"), sample.find("}")
    one_tag = sample.count("{") == sample.count("}") == 1 and opening + 1 < closing
    if not one_tag or (opening == 0 and closing == len(sample) - 1):
        raise ConfigurationError(
            f"key template {template!r} has braces that are not one hash tag with something beside it",
            hint="Write a hash tag as {{...}}, as in {{{tenant}}}:{id}.",
        )
    first, last = (next(place for place, text in enumerate(literals) if brace in text) for brace in "{}")
    return range(first, last)
