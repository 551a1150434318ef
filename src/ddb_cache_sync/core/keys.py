"""Key mappings: from an item's primary key to its cache key.

Rule: two items never share a cache key. So a template names the whole primary key, but for what is the same in all the
items that it is for, and nothing else that could change.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change
from ddb_cache_sync.core.speedups import RecordReader, record_reader
from ddb_cache_sync.core.templates import (
    DEFAULT_MAX_KEY_BYTES,
    LONG_VALUE_BYTES,
    Template,
    escape_for,
    join,
    key_value_text,
)
from ddb_cache_sync.errors import ConfigurationError, RecordError


class KeyMapping(Protocol):
    """Gives the cache key of the item that a change is about.

    Contract: pure; depends on `change.key` only, so that every change of an item, removals included, and a backfill
    give the same key; two items never give the same key. An exception makes the record a poison record.
    """

    def __call__(self, change: Change, /) -> str:
        """The cache key."""
        ...


class KeyTemplate(Template):
    """A key mapping written as a template: `KeyTemplate("users:{id}")`.

    `{name}` stands for the attribute `name` of the primary key, `{table}` for the table's name, `{{` and `}}` for
    braces (a hash tag: `{{{tenant}}}:{id}`). The rules of escaping are those of `Template`.

    Args:
        template: The template. It names the whole primary key, but for what is `fixed`.
        max_bytes: Keys longer than this (bytes of UTF-8) are shortened by rule 4.
        fixed: Texts (S) of the key attributes that it leaves out, by name: `{"SK": "PROFILE"}`. It is for items that
            have them alone; for any other it raises. None: none is left out. A `Route` takes them from its patterns.

    Raises:
        ConfigurationError: A template that can't give each item a key of its own, whatever its values are.
    """

    __slots__ = ("_fixed_wire", "_quick", "_quick_size", "_size", "fixed")

    def __init__(
        self, template: str, *, max_bytes: int = DEFAULT_MAX_KEY_BYTES, fixed: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(template, max_bytes=max_bytes)
        self.fixed: Final = _checked_fixed(self, fixed or {})
        self._fixed_wire: Final = [(name, {"S": text}) for name, text in self.fixed.items()]
        self._size: Final = len(self._attributes) + len(self.fixed)
        self._quick: Final = tuple(zip(self._names, self._literals[1:], strict=True))
        self._quick_size: Final = 0 if self.fixed or self.names_table else self._size  # 0: of no item

    def __call__(self, change: Change) -> str:
        """The item's cache key.

        Raises:
            ConfigurationError: The template leaves out part of the primary key, or names what is not part of it.
            RecordError: A key attribute that is not a well-formed S, N or B, or not what it is fixed to; an empty key.
        """
        table, attributes = change.key
        return self.key_of(table, attributes.wire)

    def key_of(self, table: str, wire: Mapping[str, Any]) -> str:
        """The cache key of an item of this table, by its primary key in DynamoDB JSON; raises as a call does."""
        # Most keys are short strings in which nothing is escaped: put in here, without a call for each check. No text
        # of such is ever too long, as the template was checked for it.
        if len(wire) == self._quick_size:
            key, odd = self._literals[0], self._odd
            for name, literal in self._quick:
                value = wire.get(name)
                if type(value) is not dict or len(value) != 1:
                    break
                plain = value.get("S")
                if type(plain) is not str or not 0 < len(plain) <= LONG_VALUE_BYTES or odd(plain) is not None:
                    break
                key += plain + literal
            else:
                return key
        try:
            text = self.text(table, wire)
        except KeyError:
            raise self._wrong_attributes(table, Image(wire)) from None
        if len(wire) != self._size or "table" in wire:
            raise self._wrong_attributes(table, Image(wire))
        if self._fixed_wire:
            self._check_fixed(table, Image(wire))
        if not text:
            raise RecordError("the key mapping gave an empty key")
        return text

    @property
    def record_reader(self) -> RecordReader | None:
        """What reads records with such keys, compiled; None: it is not installed, or knows no such template."""
        if not self._quick_size:
            return None
        return record_reader(self._literals, self._names, self._size, lambda text: self._odd(text) is None)

    def with_fixed(self, fixed: Mapping[str, str]) -> "KeyTemplate":
        """The same for items that have these texts.

        Raises:
            ConfigurationError: What is fixed can't be right.
        """
        return KeyTemplate(self.template, max_bytes=self.max_bytes, fixed=fixed)

    def __repr__(self) -> str:
        return f"KeyTemplate({self.template!r}{f', fixed={dict(self.fixed)}' if self.fixed else ''})"

    def __str__(self) -> str:
        return f"key template {self.template!r}"

    def _check_fixed(self, table: str, attributes: Image) -> None:
        wire = attributes.wire
        for name, value in self._fixed_wire:
            if name not in wire:
                raise self._wrong_attributes(table, attributes)
            if wire[name] != value:
                raise RecordError(
                    f"{self} is for items whose key attribute {name} is {self.fixed[name]!r} alone",
                    hint="Let a route with that pattern in its key have it.",
                )

    def _wrong_attributes(self, table: str, attributes: Image) -> ConfigurationError:
        key = f"the primary key ({', '.join(sorted(attributes))}) of table {table}"
        if "table" in attributes.wire:
            problem = "can't tell the key attribute 'table' from the table's name"
            return ConfigurationError(f"{self} {problem}", hint="Such a table needs a key mapping in code.")
        taken = self._attributes | self.fixed.keys()
        left_out = ", ".join(sorted(attributes.wire.keys() - taken))
        problem = f"leaves out {left_out} of {key}: two items would share a cache key"
        if not left_out:
            problem = f"names {', '.join(sorted(taken - attributes.wire.keys()))}, not part of {key}"
        return ConfigurationError(
            f"{self} {problem}", hint="Name every attribute of the primary key in which items differ, and no other."
        )


def _checked_fixed(keys: KeyTemplate, fixed: object) -> Mapping[str, str]:
    if not isinstance(fixed, Mapping):
        raise ConfigurationError(f"what {keys} leaves out is no mapping", hint='Write fixed={"SK": "PROFILE"}.')
    for name, text in fixed.items():
        if not (isinstance(name, str) and isinstance(text, str) and name and text):
            raise ConfigurationError(
                f"what {keys} leaves out is not a name with a text", hint='Write fixed={"SK": "PROFILE"}.'
            )
        if name in (*keys.places, "table"):
            raise ConfigurationError(f"{keys} has a fixed {name}, and names it", hint="Do one or the other.")
    return MappingProxyType(dict(fixed))


_ESCAPE: Final = escape_for("default", [":"])


def table_keys(change: Change) -> str:
    """The default key mapping: `{table}:` and the key attributes, in alphabetical order of their names.

    A stream record does not say which of two key attributes is the partition key, so they are taken in the order of
    their names (`pk` before `sk`); for another order write a `KeyTemplate`.

    Raises:
        RecordError: A key attribute that is not a well-formed S, N or B.
    """
    table, attributes = change.key
    return table_key_of(table, attributes.wire)


def table_key_of(table: str, wire: Mapping[str, Any]) -> str:
    """The default mapping's key of an item of this table, by its primary key in DynamoDB JSON; raises as it does."""
    values = [_ESCAPE(key_value_text(name, wire[name])) for name in (wire if len(wire) == 1 else sorted(wire))]
    return join((f"{table}:", *[":"] * (len(values) - 1), ""), values, DEFAULT_MAX_KEY_BYTES)
