"""The page on encodings agrees with the code."""

import json
import shutil
import subprocess
from typing import Any

import pytest
from tests.docs.markdown import ROOT, blocks, code_span, rows

from ddb_cache_sync import (
    AttributeEncoding,
    Compressed,
    DynamoDBJsonEncoding,
    Encoding,
    HashEncoding,
    Image,
    JsonEncoding,
    Replicator,
    encoding_named,
)
from ddb_cache_sync.core.encodings import MAX_HASH_FIELDS
from ddb_cache_sync.core.encodings.compressed import DEFAULT_ABOVE, DEFAULT_MAX_BYTES
from ddb_cache_sync.testing import MemoryCache, MemoryTable, stream_record

PAGE = ROOT / "docs" / "how-to" / "encodings.md"
TEXT = PAGE.read_text(encoding="utf-8")
LONG = {"id": {"S": "1"}, "text": {"S": "é" * 2000}}


def python_blocks() -> list[str]:
    """The page's Python, in order: reading, compression, an encoding of one's own."""
    return [block.code for block in blocks(PAGE) if block.language == "python"]


@pytest.mark.parametrize(("name", "code", "command", "_why"), rows(PAGE, "name"))
def test_each_name_is_the_encoding_that_the_page_says(name: str, code: str, command: str, _why: str) -> None:
    """And is read by the command that it says."""
    encoding = encoding_named(code_span(name))
    assert type(encoding).__name__ == code_span(code).split("(")[0]
    assert code_span(command) == {"string": "GET", "hash": "HGETALL"}[encoding.kind]


@pytest.mark.parametrize(("attribute", "plain", "field", "alone", "dynamodb"), rows(PAGE, "attribute"))
def test_each_type_becomes_what_the_page_says(
    attribute: str, plain: str, field: str, alone: str, dynamodb: str
) -> None:
    """A row: attribute value, then its form in each encoding."""
    item = Image({"a": json.loads(code_span(attribute))})
    assert JsonEncoding().encode(item).decode() == f'{{"a":{code_span(plain)}}}'
    assert HashEncoding().encode(item) == {"a": code_span(field).encode()}
    assert AttributeEncoding("a").encode(item) == code_span(alone).encode()
    assert DynamoDBJsonEncoding().encode(item).decode() == f'{{"a":{code_span(dynamodb)}}}'


def test_the_table_of_types_has_all_of_them() -> None:
    """All ten."""
    tags = {tag for row in rows(PAGE, "attribute") for tag in json.loads(code_span(row[0]))}
    assert tags == {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}


def test_limits_and_defaults_are_those_of_the_code() -> None:
    """As the tables write them."""
    assert f"| {MAX_HASH_FIELDS}, else" in TEXT
    defaults = {code_span(name): code_span(default) for name, _, default in rows(PAGE, "argument")}
    assert defaults == {
        "algorithm": '"zlib"',
        "above": str(DEFAULT_ABOVE),
        "level": "None",
        "max_bytes": str(DEFAULT_MAX_BYTES),
    }


class Client:
    """A client that finds one value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self, key: str) -> Any:
        """As `redis.Redis` does."""
        return self.value if key == "users:1" else None

    def hgetall(self, key: str) -> Any:
        """As `redis.Redis` does."""
        return self.value if key == "users:1" else {}


@pytest.mark.parametrize("name", ["json+zlib", "hash", "attribute:id"])
def test_the_reader_reads(name: str) -> None:
    """With any encoding in its place."""
    encoding = encoding_named(name)
    namespace: dict[str, Any] = {}
    exec(python_blocks()[0].replace("json+zlib", name), namespace)
    value = encoding.encode(Image(LONG))
    assert value is not None
    stored = value if isinstance(value, bytes) else {field.encode(): content for field, content in value.items()}
    assert namespace["read"](Client(stored), "users:1") == encoding.decode(value)
    assert namespace["read"](Client(stored), "users:2") is None


def test_the_compression_of_the_page_can_be_read_by_its_name() -> None:
    """Whatever the level and the threshold."""
    namespace: dict[str, Any] = {}
    exec(python_blocks()[1], namespace)
    assert isinstance(namespace["encoding"], Compressed)
    written = namespace["encoding"].encode(Image(LONG))
    assert written is not None
    assert encoding_named("json+zstd").decode(written) == {"id": "1", "text": "é" * 2000}


def test_the_encoding_of_ones_own_works() -> None:
    """Its replicator is made, and its values get into a cache, compressed ones too; it is an `Encoding`."""
    namespace: dict[str, Any] = {}
    exec(python_blocks()[2], namespace)
    assert isinstance(namespace["replicator"], Replicator)
    own: Encoding = namespace["PublicProfile"]()
    cache, table = MemoryCache(), MemoryTable(name="users")
    table.put({"id": "1", "name": "Zoë", "secret": "x"})
    Replicator(cache, encoding=own).apply(table.records)
    assert own.decode(cache.values["users:1"]) == {"id": "1", "name": "Zoë"}
    report = Replicator(cache, encoding=own).apply([stream_record({"id": "2"}, {"id": "2"})])
    assert [failure.reason for failure in report.failures] == ["the encoding raised KeyError"]
    hidden = Image({"id": {"S": "3"}, "hidden": {"BOOL": True}})
    assert own.encode(hidden) is Compressed(own).encode(hidden) is None


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("above", [0, 1024, 10_000])
def test_the_javascript_reads_what_was_written(above: int) -> None:
    """Compressed or plain."""
    [code] = [block.code for block in blocks(PAGE) if block.language == "js"]
    written = Compressed(JsonEncoding(), above=above).encode(Image(LONG))
    assert written is not None
    program = f"{code}\nprocess.stdout.write(read(Buffer.from('{written.hex()}', 'hex')).text);"
    shown = subprocess.run(["node", "-e", program], capture_output=True, check=True).stdout.decode()
    assert shown == "é" * 2000
