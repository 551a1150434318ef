import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.table.spoiling import edit_files, edit_summary, first_file, lines_of, store, store_lines

from ddb_cache_sync import ConfigurationError, Remove, TableError, Upsert
from ddb_cache_sync.table.export_lines import MOST_LINE_BYTES
from ddb_cache_sync.table.exports import DataFile, Export, ExportLine, MalformedLine, open_export, read_file
from ddb_cache_sync.table.items import BEFORE_ANY_CHANGE
from ddb_cache_sync.testing import write_export

KEY = ("id",)
ITEMS = [{"id": str(number), "n": number} for number in range(5)]
SECRET = "SECRET"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a full export."""
    return write_export(tmp_path, ITEMS)


@pytest.fixture
def incremental(tmp_path: Path) -> Path:
    """Give the folder of an incremental export."""
    return write_export(tmp_path, ITEMS[:3], kind="incremental", removed=[{"id": "8"}, {"id": "9"}])


def states(export: Export) -> dict[str, Any]:
    """The item that each line has, by id; None for a removal."""
    found: dict[str, Any] = {}
    for line in lines_of(export, key_names=KEY):
        assert isinstance(line, ExportLine)
        change = line.change
        found[change.key.attributes["id"]] = dict(change.item) if isinstance(change, Upsert) else None
    return found


def test_a_full_export_tells_what_it_is(folder: Path) -> None:
    """Its table, its moment, its files, some of which may be empty."""
    export = open_export(write_export(folder / "other", ITEMS[:1], table="users", exported_at=1_700_000_000.5))
    assert (export.kind, export.table, export.item_count, export.output_format) == (
        "full",
        "users",
        1,
        "DYNAMODB_JSON",
    )
    assert (export.export_time, export.from_time, export.to_time) == (1_700_000_000.5, None, None)
    assert export.table_arn.endswith(":table/users")
    assert [file.item_count for file in export.files] == [1, 0]
    assert export.location.endswith(f"AWSDynamoDB/{export.export_id}")


def test_a_full_export_gives_every_item_as_the_upsert_that_would_make_it(folder: Path) -> None:
    """It says nothing of the item's place in the stream, nor of when it was written."""
    export = open_export(folder)
    assert states(export) == {item["id"]: item for item in ITEMS}
    for line in lines_of(export, key_names=KEY):
        assert isinstance(line, ExportLine)
        assert (line.written_us, line.change.version, line.change.key.table) == (None, BEFORE_ANY_CHANGE, "T")
        assert [*line.change.key.attributes] == ["id"]


def test_every_type_comes_through_exactly(tmp_path: Path) -> None:
    """Binary values are base64 text in an export, as in Lambda's events."""
    item = {
        "id": "é",
        "n": Decimal(12345678901234567890123456789012345678),
        "b": b"\x00\xff",
        "sets": [{"a", "b"}, {1, 2}, {b"x"}],
        "nested": {"yes": True, "nothing": None},
    }
    assert states(open_export(write_export(tmp_path, [item]))) == {"é": item}


def test_an_incremental_export_gives_the_newest_state_of_what_changed(incremental: Path) -> None:
    """And when it was written, in microseconds; key names are not asked for."""
    export = open_export(incremental)
    assert (export.kind, export.export_time, export.item_count) == ("incremental", None, 5)
    assert export.from_time is not None
    assert export.to_time == export.from_time + 900
    assert states(export) == {"0": ITEMS[0], "1": ITEMS[1], "2": ITEMS[2], "8": None, "9": None}
    for line in lines_of(export):
        assert isinstance(line, ExportLine)
        assert line.written_us is not None
        assert export.from_time <= line.written_us / 1e6 < export.to_time


def test_old_images_come_with_an_incremental_export_that_has_them(incremental: Path) -> None:
    """So that lookup keys by the old attributes can be removed."""
    line = b'{"Metadata":{"WriteTimestampMicros":{"N":"1745415436000000"}},"Keys":{"id":{"S":"a"}},"OldImage":%s%s}'
    export = store_lines(
        incremental,
        line % (b'{"id":{"S":"a"},"n":{"N":"1"}}', b""),
        line % (b'{"id":{"S":"a"},"n":{"N":"1"}}', b',"NewImage":{"id":{"S":"a"}}'),
    )
    removed, changed = (line.change for line in read_file(export, export.files[0]) if isinstance(line, ExportLine))
    assert isinstance(removed, Remove)
    assert isinstance(changed, Upsert)
    for change in (removed, changed):
        assert change.old is not None
        assert change.old["n"] == 1


def test_what_old_global_tables_put_on_items_is_left_out(folder: Path) -> None:
    """As it is from the records of their streams: or an item would look different by where it came from."""
    export = store_lines(folder, b'{"Item":{"id":{"S":"a"},"aws:rep:updatetime":{"N":"1"},"aws:rep:region":{"S":"x"}}}')
    [line] = read_file(export, export.files[0], key_names=KEY)
    assert isinstance(line, ExportLine)
    assert isinstance(line.change, Upsert)
    assert [*line.change.item] == ["id"]


def test_reading_goes_on_after_the_last_line_that_is_done_with(tmp_path: Path) -> None:
    """By the line's number, which the same export always gives it."""
    export = open_export(write_export(tmp_path, ITEMS, files=1))
    [file] = export.files
    every = list(read_file(export, file, key_names=KEY))
    assert [line.number for line in every] == [1, 2, 3, 4, 5]
    for done in range(6):
        assert [line.number for line in read_file(export, file, key_names=KEY, start=done)] == [1, 2, 3, 4, 5][done:]


@pytest.mark.parametrize("place", [".", "..", "../..", "manifest-summary.json"])
@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_an_export_is_found_from_any_folder_above(tmp_path: Path, kind: Any, place: str) -> None:
    """Down to its own, where it is the only one."""
    found = write_export(tmp_path, ITEMS, kind=kind) / place
    assert open_export(found) == open_export(str(found)) == open_export(os.path.relpath(found))
    assert states(open_export(found)).keys() == {"0", "1", "2", "3", "4"}


def test_several_exports_in_a_folder_have_to_be_told_apart(folder: Path, tmp_path: Path) -> None:
    """The error names one of them."""
    write_export(tmp_path, ITEMS, export_id="01745415499999-a1b2c3d4")
    with pytest.raises(ConfigurationError, match=f"more than one export there. Give one of them, such as {folder}"):
        open_export(tmp_path)


def test_an_export_without_its_summary_is_not_finished(folder: Path, tmp_path: Path) -> None:
    """AWS writes it last; a finished one beside it is found."""
    (folder / "manifest-summary.json").unlink()
    for place in (folder, tmp_path, tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(ConfigurationError, match=r"no finished export there\. Give the folder that has manifest-"):
            open_export(place)
    other = write_export(tmp_path, ITEMS, export_id="01745415499999-a1b2c3d4")
    assert open_export(tmp_path).location == str(other)


@pytest.mark.parametrize(
    "location", ["s3:/bucket", "s3://", "s3://B/x", "https://bucket/x", "s3://bucket/a\nb", "a\0b"]
)
def test_a_location_that_is_neither_folder_nor_bucket_is_refused(location: str) -> None:
    """As a wrong setting."""
    with pytest.raises(ConfigurationError):
        open_export(location)


def test_an_export_in_ion_is_refused_with_what_to_do(folder: Path) -> None:
    """It is a choice made when exporting."""
    edit_summary(folder, lambda fields: fields.update(outputFormat="ION"))
    with pytest.raises(ConfigurationError, match=r"summary\.json: the export is in Ion.*--export-format DYNAMODB_JSON"):
        open_export(folder)


@pytest.mark.parametrize("value", [..., None, 7, SECRET, [], "2025-04-23T13:37:16"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("full", "outputFormat"),
        ("full", "tableArn"),
        ("full", "exportArn"),
        ("full", "manifestFilesS3Key"),
        ("full", "exportTime"),
        ("incremental", "exportFromTime"),
        ("incremental", "exportToTime"),
    ],
)
def test_a_summary_with_a_wrong_field_is_refused_by_its_name(
    tmp_path: Path, kind: Any, field: str, value: object
) -> None:
    """Left out, or other content in it."""
    folder = write_export(tmp_path, ITEMS, kind=kind)
    edit_summary(folder, lambda fields: fields.pop(field) if value is ... else fields.update({field: value}))
    with pytest.raises(TableError, match=rf"{folder}/manifest-summary\.json: {field}: .*\. Copy the export") as caught:
        open_export(folder)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exportType", "OTHER"),
        ("exportType", []),
        ("tableArn", "arn:aws:dynamodb:eu-west-1:111122223333:table/a/b"),
        ("exportArn", "arn:aws:dynamodb:eu-west-1:111122223333:table/other/export/01745415437000-a1b2c3d4"),
        ("exportArn", "arn:aws:dynamodb:eu-west-1:111122223333:table/T/export/../x"),
        ("manifestFilesS3Key", "AWSDynamoDB/01745415437001-a1b2c3d4/manifest-files.json"),
        ("exportToTime", "2025-04-23T13:00:00.000Z"),
        ("itemCount", -1),
        ("itemCount", True),
        ("itemCount", "5"),
        ("itemCount", 1e3),
        ("itemCount", 10**18),
    ],
)
def test_what_no_export_can_say_is_refused(incremental: Path, field: str, value: object) -> None:
    """Times the wrong way round, another table's export, no count."""
    edit_summary(incremental, lambda fields: fields.update({field: value}))
    with pytest.raises(TableError, match=rf"manifest-summary\.json: {field}: "):
        open_export(incremental)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
@pytest.mark.parametrize("name", ["manifest-summary.json", "manifest-files.json"])
def test_a_manifest_that_is_no_json_object_is_refused(folder: Path, name: str, content: bytes) -> None:
    """Cut off, or another file."""
    edit_summary(folder, lambda _: None)
    edit_files(folder, lambda _: None)
    (folder / name).write_bytes(content)
    with pytest.raises(TableError, match=name):
        open_export(folder)


@pytest.mark.parametrize("value", [..., None, 7, -1, True, SECRET, [], "c2hvcnQ=", "FjvgqIxwymKf1RbbqtrZag"])
@pytest.mark.parametrize("field", ["itemCount", "md5Checksum", "dataFileS3Key"])
def test_a_list_of_files_with_a_wrong_field_is_refused_by_line_and_name(
    folder: Path, field: str, value: object
) -> None:
    """Left out, or other content in it. A wrong count shows in the sum."""
    edit_files(folder, lambda all_: all_[1].pop(field) if value is ... else all_[1].update({field: value}))
    with pytest.raises(TableError) as caught:
        open_export(folder)
    assert caught.match(f"line 2: {field}: " if value != 7 or field != "itemCount" else "don't add up")
    assert SECRET not in str(caught.value)


def test_counts_of_items_have_to_add_up(folder: Path) -> None:
    """A file missing from the list shows too."""
    edit_files(folder, lambda entries: entries.pop())
    with pytest.raises(TableError, match=r"manifest-files\.json: its counts of items don't add up to itemCount"):
        open_export(folder)


def test_a_file_listed_twice_is_refused(folder: Path) -> None:
    """Or its items would be counted twice."""
    edit_files(folder, lambda entries: entries.append(entries[0]))
    with pytest.raises(TableError, match="line 3: dataFileS3Key: listed twice"):
        open_export(folder)


HOSTILE_KEYS = [
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/../../../../etc/passwd",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/..json.gz",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/.json.gz",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/a/b.json.gz",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/a\\b.json.gz",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/a\0.json.gz",
    "AWSDynamoDB/01745415437000-a1b2c3d4/data/a.json.gz\n",
    "AWSDynamoDB/01745415437000-a1b2c3d4/../data/a.json.gz",
    "AWSDynamoDB/../data/a.json.gz",
    "AWSDynamoDB/data/a.json.gz",
    "AWSDynamoDB/01745415499999-a1b2c3d4/data/a.json.gz",
    "/etc/passwd",
    "",
    "x" * 1025,
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_no_key_of_a_data_file_leads_out_of_the_export(folder: Path, key: str) -> None:
    """Not in a manifest, and not in a file that somebody made up or wrote down."""
    export = open_export(folder)
    with pytest.raises(TableError, match="not a file of the export"):
        read_file(export, DataFile(key, 1, export.files[0].md5, ""), key_names=KEY)
    edit_files(folder, lambda entries: entries[0].update(dataFileS3Key=key))
    with pytest.raises(TableError, match="line 1: dataFileS3Key"):
        open_export(folder)


def test_an_export_can_be_read_wherever_it_was_copied_to(folder: Path, tmp_path: Path) -> None:
    """What stands before `AWSDynamoDB` in a key is the place it was exported to."""
    edit_summary(folder, lambda fields: fields.update(manifestFilesS3Key=f"a/b/{fields['manifestFilesS3Key']}"))
    edit_files(folder, lambda all_: [each.update(dataFileS3Key=f"../b/{each['dataFileS3Key']}") for each in all_])
    (tmp_path / "here").mkdir()
    moved = folder.rename(tmp_path / "here" / "renamed")
    assert states(open_export(moved)) == {item["id"]: item for item in ITEMS}


@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
def test_a_manifest_that_does_not_have_its_checksum_is_refused(folder: Path, name: str) -> None:
    """Also where the checksum is called as AWS's page calls it; a copy without one is read."""
    checksum = folder / f"{name}.md5"
    with (folder / f"{name}.json").open("a") as file:
        file.write(" \n")
    for _ in range(2):
        with pytest.raises(TableError, match=rf"{name}\.json: its content does not have the MD5"):
            open_export(folder)
        checksum = checksum.rename(folder / f"{name}.checksum")
    checksum.write_text("x")
    with pytest.raises(TableError, match="its checksum is not an MD5"):
        open_export(folder)
    checksum.unlink()
    if name == "manifest-summary":
        assert open_export(folder).item_count == 5


def test_a_manifest_larger_than_any_is_not_read_into_memory(folder: Path) -> None:
    """It is no manifest."""
    with (folder / "manifest-summary.json").open("r+b") as file:
        file.truncate(2**21)
    with pytest.raises(TableError, match=r"more than 1,048,576 bytes"):
        open_export(folder)


@pytest.mark.parametrize("place", [0, -1, 30])
def test_nothing_is_given_out_of_a_file_that_does_not_have_its_md5(folder: Path, place: int) -> None:
    """A single bit is enough."""
    export, file = open_export(folder), first_file(folder)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    lines = read_file(export, export.files[0], key_names=KEY)
    with pytest.raises(TableError, match=f"{file.name}: its content does not have the MD5"):
        next(lines)
    assert len(list(read_file(export, export.files[1], key_names=KEY))) == 2


def test_a_data_file_that_is_not_there_is_named(folder: Path) -> None:
    """So is one that is no file."""
    export, file = open_export(folder), first_file(folder)
    file.unlink()
    with pytest.raises(TableError, match=rf"{file}: there is no such file\. Copy the export"):
        next(read_file(export, export.files[0], key_names=KEY))
    os.mkfifo(file)
    with pytest.raises(TableError, match="there is no such file"):
        next(read_file(export, export.files[0], key_names=KEY))


class Failing(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, *_: object) -> bytes:
        raise OSError(5, "Input/output error")


def refuse(*_: object) -> Any:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("opened", [refuse, lambda *_: Failing()], ids=["denied", "disk"])
def test_a_file_that_cannot_be_read_is_named(folder: Path, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to check, in place of the system's error."""
    export, file = open_export(folder), first_file(folder)
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(TableError, match=rf"can't read {folder}/manifest-.*Error\. Check its permissions and the disk"):
        open_export(folder)
    with pytest.raises(TableError, match=rf"can't read {file}: .*Error\. Check its permissions"):
        next(read_file(export, export.files[0], key_names=KEY))


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file is."""
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(TableError, match=rf"can't read {tmp_path}/AWSDynamoDB: PermissionError\. Check its"):
        open_export(tmp_path)


def line(number: int) -> bytes:
    return b'{"Item":{"id":{"S":"%d"}}}\n' % number


GOOD = gzip.compress(line(1) + line(2))


@pytest.mark.parametrize(
    ("content", "count", "problem"),
    [
        pytest.param(GOOD[:-9], 2, "cut short", id="truncated"),
        pytest.param(GOOD[:5], 2, "cut short", id="header only"),
        pytest.param(GOOD + b"garbage", 2, "something else follows it", id="trailing"),
        pytest.param(line(1) + line(2), 2, "not a gzip file", id="plain"),
        pytest.param(GOOD[:-8] + bytes(8), 2, "not a gzip file", id="checksum"),
        pytest.param(GOOD[:12] + b"\xff\xff" + GOOD[14:], 2, "not a gzip file", id="corrupt"),
        pytest.param(GOOD, 1, "more lines than the export says", id="more"),
        pytest.param(GOOD, 3, "fewer lines than the export says", id="fewer"),
        pytest.param(gzip.compress(b""), 1, "fewer lines than the export says", id="empty"),
    ],
)
def test_a_file_that_is_not_whole_is_raised(folder: Path, content: bytes, count: int, problem: str) -> None:
    """Though its MD5 is right: nobody may take what there is of it for all of it."""
    export = store(folder, content, count)
    with pytest.raises(TableError, match=f"{first_file(folder).name}.*{problem}"):
        list(read_file(export, export.files[0], key_names=KEY))


def test_a_file_of_several_gzip_members_is_one(folder: Path) -> None:
    """As gzip has it."""
    export = store(folder, gzip.compress(line(1)) + gzip.compress(line(2).rstrip()), 2)
    assert [each.number for each in read_file(export, export.files[0], key_names=KEY)] == [1, 2]


def test_a_malformed_line_costs_that_line_only(folder: Path) -> None:
    """Its error names the file, the line and the field, and nothing of what is in it."""
    export = store_lines(folder, line(1).strip(), b'{"Item":{"id":{"S":["%b"]}}}' % SECRET.encode(), line(3).strip())
    first, malformed, third = read_file(export, export.files[0], key_names=KEY)
    assert isinstance(first, ExportLine)
    assert isinstance(third, ExportLine)
    assert isinstance(malformed, MalformedLine)
    assert (malformed.number, third.number) == (2, 3)
    assert str(malformed.error) == f"{first_file(folder)} line 2: Item.id: not a string"


def test_a_line_longer_than_any_item_is_malformed_too(folder: Path) -> None:
    """It is not kept in memory; the next line is found."""
    padding = b" " * (MOST_LINE_BYTES - len(line(1)))
    export = store_lines(
        folder, padding + line(1).strip(), padding + b"   " + line(2).strip(), b"x" * 3 * MOST_LINE_BYTES, line(4)[:-1]
    )
    found = list(read_file(export, export.files[0], key_names=KEY))
    assert [type(each) for each in found] == [ExportLine, MalformedLine, MalformedLine, ExportLine]
    assert isinstance(found[1], MalformedLine)
    assert found[1].error.problem.endswith("line 2: more than 4,194,304 bytes")


FULL_FAULTS = {
    b"": "not JSON",
    b"SECRET": "not JSON",
    b'{"Item":{"id":{"S":"\xff"}}}': "not JSON",
    b'["SECRET"]': "not a JSON object",
    b'{"SECRET":1}': "Item: missing, or not an object",
    b'{"Item":"SECRET"}': "Item: missing, or not an object",
    b'{"Item":{}}': "Item.id: missing",
    b'{"Item":{"id":"SECRET"}}': "Item.id: not an attribute value",
    b'{"Item":{"id":{"N":"SECRET"}}}': "Item.id: not a decimal number",
    b'{"Item":{"id":{"B":"SECRET!"}}}': "Item.id: not base64",
    b'{"Item":{"id":{"SS":["SECRET"]}}}': "Item.id: no type that a key can have",
    b'{"Item":{"id":{"SECRET":"x"}}}': "Item.id: an unknown attribute type",
}
_METADATA = b'"Metadata":{"WriteTimestampMicros":{"N":"1745415436000000"}}'
INCREMENTAL_FAULTS = {
    b'{"Keys":{"id":{"S":"a"}}}': "Metadata.WriteTimestampMicros: missing",
    b'{"Metadata":{},"Keys":{"id":{"S":"a"}}}': "Metadata.WriteTimestampMicros: missing",
    b'{"Metadata":{"WriteTimestampMicros":"SECRET"}}': "Metadata.WriteTimestampMicros: missing, or not a time",
    b'{"Metadata":{"WriteTimestampMicros":{"N":"1745415436000"}}}': "Metadata.WriteTimestampMicros: missing, or not",
    b"{%b}" % _METADATA: "Keys: missing, or not an object",
    b'{%b,"Keys":{}}' % _METADATA: "Keys: not one or two attributes",
    b'{%b,"Keys":{"nr":{"S":"SECRET"}}}' % _METADATA: "Keys.id: missing",
    b'{%b,"Keys":{"id":{"S":"SECRET"},"sk":{"S":"x"}}}' % _METADATA: "Keys: not the table's key",
    b'{%b,"Keys":{"id":{"S":"SECRET"}},"NewImage":[]}' % _METADATA: "NewImage: missing, or not an object",
    b'{%b,"Keys":{"id":{"S":"SECRET"}},"NewImage":{"id":{"S":"b"}}}' % _METADATA: "NewImage: of another key than Keys",
    b'{%b,"Keys":{"id":{"S":"SECRET"}},"OldImage":7}' % _METADATA: "OldImage: missing, or not an object",
}


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        *(("full", content, problem) for content, problem in FULL_FAULTS.items()),
        *(("incremental", content, problem) for content, problem in INCREMENTAL_FAULTS.items()),
    ],
)
def test_a_malformed_line_says_what_is_wrong_with_it(tmp_path: Path, kind: Any, content: bytes, problem: str) -> None:
    """Fields and names at most."""
    export = store_lines(write_export(tmp_path, ITEMS, kind=kind), content)
    [found] = read_file(export, export.files[0], key_names=KEY)
    assert isinstance(found, MalformedLine)
    assert f" line 1: {problem}" in str(found.error)
    assert SECRET not in str(found.error)


def arguments_refused() -> list[tuple[dict[str, Any], str]]:
    return [
        ({}, "does not tell the table's key"),
        ({"key_names": "id"}, "not one or two names"),
        ({"key_names": ()}, "not one or two names"),
        ({"key_names": ("a", "b", "c")}, "not one or two names"),
        ({"key_names": ("a", "a")}, "not one or two names"),
        ({"key_names": KEY, "start": -1}, "start is not a number of lines"),
        ({"key_names": KEY, "start": 4}, "start is not a number of lines"),
    ]


@pytest.mark.parametrize(("arguments", "problem"), arguments_refused())
def test_arguments_that_cannot_be_right_are_refused_at_once(
    folder: Path, arguments: dict[str, Any], problem: str
) -> None:
    """Before the file is touched."""
    export = open_export(folder)
    with pytest.raises(ConfigurationError, match=problem):
        read_file(export, export.files[0], **arguments)


def peak_of(run: Callable[[], object]) -> int:
    """The most memory that a call takes, bytes."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    """Reading 200,000 items, 40 MB of lines, takes what a few lines take."""
    items = ({"id": str(number), "text": "x" * 150, "n": number} for number in range(200_000))
    export = open_export(write_export(tmp_path, items, files=1))

    def read() -> None:
        number = 0
        for each in read_file(export, export.files[0], key_names=KEY):
            number = each.number
        assert number == 200_000

    assert peak_of(read) < 4 * 2**20


def test_a_small_file_of_endless_zeros_takes_no_memory_either(folder: Path) -> None:
    """200 MB in 200 KB."""
    export = store(folder, gzip.compress(bytes(200 * 2**20), 1), 1)
    assert peak_of(lambda: list(read_file(export, export.files[0], key_names=KEY))) < 24 * 2**20


def test_a_full_export_has_no_removals(tmp_path: Path) -> None:
    """The builder refuses them."""
    with pytest.raises(ValueError, match="no removals"):
        write_export(tmp_path, ITEMS, removed=[{"id": "1"}])


def test_the_builder_writes_what_aws_writes(tmp_path: Path) -> None:
    """Fields of manifests and lines, as found in exports made by AWS."""
    full = write_export(tmp_path / "full", ITEMS)
    incremental = write_export(tmp_path / "incremental", ITEMS[:1], kind="incremental", files=1)
    assert {each.name for each in full.iterdir()} == {
        "_started",
        "data",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.json",
        "manifest-summary.md5",
    }
    both = {
        *("version", "exportArn", "startTime", "endTime", "tableArn", "tableId", "s3Bucket", "s3Prefix"),
        *("s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key", "billedSizeBytes", "itemCount", "outputFormat"),
    }
    summary, changes = (json.loads((each / "manifest-summary.json").read_text()) for each in (full, incremental))
    assert summary.keys() - both == {"exportTime"}
    assert changes.keys() - both == {"exportFromTime", "exportToTime", "outputView", "exportType"}
    assert gzip.decompress(first_file(full).read_bytes()).splitlines()[0] == b'{"Item":{"id":{"S":"0"},"n":{"N":"0"}}}'
    [change] = gzip.decompress(first_file(incremental).read_bytes()).splitlines()
    assert [*json.loads(change)] == ["Metadata", "Keys", "NewImage"]
    assert first_file(incremental).parent == incremental.parent / "data"
