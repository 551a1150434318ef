"""What must hold for any line of a data file."""

import gzip
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import MARKER, anything, items, key_attributes, lambda_form, places, spoilt

from ddb_cache_sync import Remove, Upsert
from ddb_cache_sync.table.export_lines import ExportLine, Line, MalformedLine, Shape, read_lines


def read(lines: list[bytes], kind: Any, key_names: tuple[str, ...] | None = ("id",), start: int = 0) -> list[Line]:
    content = gzip.compress(b"".join(line + b"\n" for line in lines), 1)
    return list(read_lines(io.BytesIO(content), "file", Shape(kind, "T", key_names, len(lines)), start))


def written(fields: Any) -> bytes:
    return json.dumps(lambda_form(fields)).encode()


@st.composite
def full_lines(draw: st.DrawFn) -> dict[str, Any]:
    """A line of a full export of a table with the key `id`."""
    return {"Item": {**draw(items), "id": draw(key_attributes)}}


@st.composite
def incremental_lines(draw: st.DrawFn) -> dict[str, Any]:
    """A line of an incremental one."""
    keys = {"id": draw(key_attributes)}
    line: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(draw(st.integers(10**15, 10**16 - 1)))}},
        "Keys": keys,
    }
    for name in ("NewImage", "OldImage"):
        if draw(st.booleans()):
            line[name] = {**draw(items), **keys}
    return line


@given(st.lists(full_lines(), max_size=4))
def test_every_item_of_a_full_export_comes_through(lines: list[dict[str, Any]]) -> None:
    """In order, each with its key."""
    found = read([written(line) for line in lines], "full")
    assert [line.number for line in found] == list(range(1, len(lines) + 1))
    for line, fields in zip(found, lines, strict=True):
        assert isinstance(line, ExportLine)
        assert isinstance(line.change, Upsert)
        wire = lambda_form(fields["Item"])
        assert line.change.item.wire == wire
        assert line.change.key.attributes.wire == {"id": wire["id"]}
        assert line.change.item.fault() is None


@given(incremental_lines(), st.sampled_from([None, ("id",)]))
def test_every_change_of_an_incremental_export_comes_through(
    fields: dict[str, Any], key_names: tuple[str, ...] | None
) -> None:
    """An upsert where there is a new image, else a removal."""
    [line] = read([written(fields)], "incremental", key_names)
    assert isinstance(line, ExportLine)
    wire = lambda_form(fields)
    assert str(line.written_us) == wire["Metadata"]["WriteTimestampMicros"]["N"]
    assert line.change.key.attributes.wire == wire["Keys"]
    assert (None if line.change.old is None else line.change.old.wire) == wire.get("OldImage")
    if isinstance(line.change, Remove):
        assert "NewImage" not in wire
    else:
        assert line.change.item.wire == wire["NewImage"]


@given(st.data(), st.sampled_from(["full", "incremental"]))
def test_a_spoilt_line_never_stops_its_neighbours(data: st.DataObject, kind: Any) -> None:
    """It is a line or a malformed one; nothing is raised."""
    good = data.draw(full_lines() if kind == "full" else incremental_lines())
    bad: Any = good
    for _ in range(data.draw(st.integers(1, 3))):
        if where := places(bad):
            bad = spoilt(bad, data.draw(st.sampled_from(where)), data.draw(st.one_of(st.just(...), anything)))
    first, found, last = read([written(good), written(bad), written(good)], kind)
    assert isinstance(first, ExportLine)
    assert isinstance(last, ExportLine)
    assert isinstance(found, ExportLine | MalformedLine)
    assert (first.number, found.number, last.number) == (1, 2, 3)


@given(st.binary(max_size=40), st.sampled_from(["full", "incremental"]))
def test_any_bytes_are_a_malformed_line(content: bytes, kind: Any) -> None:
    """Unless they are JSON that fits."""
    [found] = read([content.replace(b"\n", b"")], kind)
    assert isinstance(found, MalformedLine)


@given(st.data(), st.sampled_from(["full", "incremental"]))
def test_no_contents_are_in_an_error(data: st.DataObject, kind: Any) -> None:
    """Wherever they stand in the line."""
    good = data.draw(full_lines() if kind == "full" else incremental_lines())
    where = [path for path in places(good) if not {"NewImage", "OldImage"} & {*path[:1]}]
    planted = data.draw(st.sampled_from([MARKER, [MARKER], {MARKER: MARKER}, {"S": [MARKER]}, {"N": MARKER}]))
    [found] = read([written(spoilt(good, data.draw(st.sampled_from(where)), planted))], kind, ("id",))
    assert isinstance(found, ExportLine) or MARKER not in str(found.error)


@given(st.integers(0, 5), st.integers(0, 5))
def test_leaving_lines_out_changes_nothing_for_the_others(count: int, start: int) -> None:
    """Neither their numbers nor what they hold."""
    lines = [written({"Item": {"id": {"S": str(number)}}}) for number in range(count)]
    assert read(lines, "full", start=start) == read(lines, "full")[start:]
