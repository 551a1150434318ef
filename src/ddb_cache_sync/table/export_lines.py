"""The lines of a data file: gzip, one JSON object a line, each with the newest state of one item.

| export | members of a line |
|---|---|
| full | `Item` |
| incremental | `Metadata` (`{"WriteTimestampMicros": {"N": "…"}}`), `Keys`, maybe `NewImage`, maybe `OldImage` |

No `NewImage` means that the item was removed; old images are there where the export was asked for them.

Rules:

1. A line that can't be read costs that line only: it comes as a `MalformedLine`, and the next one follows.
2. A file that can't be read to its end, or has not as many lines as the manifest says, is raised: nobody may take what
   there is of it for all of it.
3. What a line holds is checked as far as its key; an item's attribute values are checked when it is encoded, once.
"""

from __future__ import annotations

import gzip
import re
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypeAlias

import orjson

from ddb_cache_sync.core.attribute_values import Image, decode_value, tag_and_wire
from ddb_cache_sync.core.changes import ItemKey, Remove, Upsert, new_tuple
from ddb_cache_sync.errors import RecordError, TableError
from ddb_cache_sync.table.export_storage import COPY_HINT
from ddb_cache_sync.table.items import BEFORE_ANY_CHANGE, as_upsert, own_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.table.export_manifests import Kind

MOST_LINE_BYTES: Final = 4 * 2**20
"""An item of 400 KB can have 3 MB of DynamoDB JSON."""

_LONGEST_NAME: Final = 255
_MICROSECONDS: Final = re.compile(r"[1-9][0-9]{15}").fullmatch  # 2001 to 2286


class ExportLine(NamedTuple):
    """One line of a data file: the newest state of one item."""

    number: int
    """Its place in the file, from 1: what a resume starts after."""
    change: Upsert | Remove
    """The item as it is, or that it is gone. Its version says nothing of its place in the stream."""
    written_us: int | None
    """When it was last written, epoch microseconds; None in a full export."""


class MalformedLine(NamedTuple):
    """One line of a data file that can't be read."""

    number: int
    """Its place in the file, from 1."""
    error: RecordError
    """Names the file, the line and the field, and nothing of the content."""


Line: TypeAlias = ExportLine | MalformedLine


class Shape(NamedTuple):
    """What the lines of a data file should look like."""

    kind: Kind
    table: str
    key_names: Sequence[str] | None
    """The names of the key attributes. None, for an incremental export only: whatever a line has as its key."""
    item_count: int


def read_lines(file: BinaryIO, name: str, shape: Shape, start: int) -> Iterator[Line]:
    """Read the lines of a data file.

    Args:
        file: The compressed file, at its beginning.
        name: How errors name it.
        shape: What is to be found in it.
        start: How many lines to leave out at the beginning; they are counted, not decoded.

    Raises:
        TableError: It is not gzip, is cut short, is followed by something else, or has more or fewer lines.
    """
    number = 0
    for number, line in enumerate(_lines(file, name), start=1):
        if number > shape.item_count:
            raise TableError(f"{name}: more lines than the export says", hint=COPY_HINT)
        if number <= start:
            continue
        try:
            if line is None:
                raise ValueError(f"more than {MOST_LINE_BYTES:,} bytes")  # noqa: TRY301 - as every other fault
            yield new_tuple(ExportLine, (number, *_decoded(line, shape)))
        except ValueError as error:
            yield MalformedLine(number, RecordError(f"{name} line {number}: {error}"))
    if number != shape.item_count:
        raise TableError(f"{name}: fewer lines than the export says", hint=COPY_HINT)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes | None]:
    """Each line; None for one that is too long, of which no more than the limit is in memory at a time."""
    content = gzip.GzipFile(fileobj=file, mode="rb")
    try:
        while line := content.readline(MOST_LINE_BYTES + 1):
            if len(line) <= MOST_LINE_BYTES:
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = content.readline(MOST_LINE_BYTES)
            yield None
    except EOFError:
        raise TableError(f"{name}: the gzip file is cut short", hint=COPY_HINT) from None
    except (gzip.BadGzipFile, zlib.error):
        raise TableError(f"{name}: not a gzip file, or something else follows it", hint=COPY_HINT) from None


def _decoded(line: bytes, shape: Shape) -> tuple[Upsert | Remove, int | None]:
    """The state of the item, and when it was written (epoch µs).

    Raises:
        ValueError: Says which field is wrong, and how.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error type for malformed lines
    if shape.kind == "full":
        item = _attributes(fields, "Item")
        return as_upsert(shape.table, _key_names(item, shape.key_names or (), "Item"), item), None
    return _incremental(fields, shape)


def _incremental(fields: dict[str, Any], shape: Shape) -> tuple[Upsert | Remove, int]:
    written_us = _written_us(fields.get("Metadata"))
    keys = _attributes(fields, "Keys")
    if not 1 <= len(keys) <= 2:
        raise ValueError("Keys: not one or two attributes")
    names = _key_names(keys, shape.key_names or [*keys], "Keys")
    if len(names) != len(keys):
        raise ValueError("Keys: not the table's key")
    new = None if fields.get("NewImage") is None else _attributes(fields, "NewImage")
    old = None if fields.get("OldImage") is None else own_image(_attributes(fields, "OldImage"))
    if new is None:
        return Remove(ItemKey(shape.table, Image(keys)), BEFORE_ANY_CHANGE, old), written_us
    if any(new.get(name) != keys[name] for name in names):
        raise ValueError("NewImage: of another key than Keys")
    return as_upsert(shape.table, names, new)._replace(old=old), written_us


def _written_us(metadata: object) -> int:
    written = metadata.get("WriteTimestampMicros") if isinstance(metadata, dict) else None
    digits = written.get("N") if isinstance(written, dict) else None
    if not isinstance(digits, str) or not _MICROSECONDS(digits):
        raise ValueError("Metadata.WriteTimestampMicros: missing, or not a time between 2001 and 2286")
    return int(digits)


def _attributes(fields: dict[str, Any], field: str) -> dict[str, Any]:
    found = fields.get(field)
    if not isinstance(found, dict):
        raise ValueError(f"{field}: missing, or not an object")  # noqa: TRY004 - one error type for malformed lines
    return found


def _key_names(attributes: dict[str, Any], names: Sequence[str], field: str) -> list[str]:
    """The names, once each is that of a value that a key attribute can have."""
    for name in names:
        # Most keys are plain strings: looked at here, without a call for each check.
        value = attributes.get(name)
        if type(value) is dict and len(value) == 1 and type(text := value.get("S")) is str and text.isascii():
            continue
        where = f"{field}.{name[:_LONGEST_NAME]}"
        if name not in attributes:
            raise ValueError(f"{where}: missing")
        try:
            tag, _ = tag_and_wire(attributes[name])
            decode_value(attributes[name])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if tag not in ("S", "N", "B"):
            raise ValueError(f"{where}: no type that a key can have")
    return list(names)
