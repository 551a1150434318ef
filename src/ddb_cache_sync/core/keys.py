"""Key mappings: from an item's primary key to its cache key.

Rule: two items never share a cache key. So a template names the whole primary key, and nothing else that could change.
"""

from typing import Final, Protocol

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change
from ddb_cache_sync.core.templates import DEFAULT_MAX_KEY_BYTES, Template, escape_for, join, key_value_text
from ddb_cache_sync.errors import ConfigurationError


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
        template: The template.
        max_bytes: Keys longer than this (bytes of UTF-8) are shortened by rule 4.

    Raises:
        ConfigurationError: A template that can't give each item a key of its own, whatever its values are.
    """

    __slots__ = ()

    def __call__(self, change: Change) -> str:
        """The item's cache key.

        Raises:
            ConfigurationError: The template leaves out part of the primary key, or names what is not part of it.
            RecordError: A key attribute that is not a well-formed S, N or B.
        """
        table, attributes = change.key
        wire = attributes.wire
        try:
            text = self.text(table, wire)
        except KeyError:
            raise self._wrong_attributes(table, attributes) from None
        if len(wire) != len(self._attributes) or "table" in wire:
            raise self._wrong_attributes(table, attributes)
        return text

    def _wrong_attributes(self, table: str, attributes: Image) -> ConfigurationError:
        key = ", ".join(sorted(attributes))
        if "table" in attributes.wire:
            problem = "can't tell the key attribute 'table' from the table's name"
            return ConfigurationError(f"key template {self.template!r} {problem}", hint="Give a callable as keys.")
        left_out = ", ".join(sorted(attributes.wire.keys() - self._attributes))
        problem = f"leaves out {left_out} of the primary key ({key}): two items would share a cache key"
        if not left_out:
            foreign = ", ".join(sorted(self._attributes - attributes.wire.keys()))
            problem = f"names {foreign}, not part of the primary key ({key})"
        return ConfigurationError(
            f"key template {self.template!r} {problem} of table {table}",
            hint="Name every attribute of the primary key and no other.",
        )


_ESCAPE: Final = escape_for("default", [":"])


def table_keys(change: Change) -> str:
    """The default key mapping: `{table}:` and the key attributes, in alphabetical order of their names.

    A stream record does not say which of two key attributes is the partition key, so they are taken in the order of
    their names (`pk` before `sk`); for another order write a `KeyTemplate`.

    Raises:
        RecordError: A key attribute that is not a well-formed S, N or B.
    """
    table, attributes = change.key
    wire = attributes.wire
    values = [_ESCAPE(key_value_text(name, wire[name])) for name in (wire if len(wire) == 1 else sorted(wire))]
    return join((f"{table}:", *[":"] * (len(values) - 1), ""), values, DEFAULT_MAX_KEY_BYTES)
