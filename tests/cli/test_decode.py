import codecs
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

from ddb_cache_sync.testing import kinesis_event, stream_event, stream_record

PUT = stream_record({"id": "42"}, {"id": "42", "name": "Zoë"}, sequence_number=2, table="users")
POISON = stream_record({"id": "1"}, {"id": "1"}, sequence_number=3, table="users")
POISON["dynamodb"]["NewImage"]["age"] = {"N": "swordfish"}


def encoded(shape: Any) -> bytes:
    return json.dumps(shape).encode()


def test_a_record_is_shown_to_be_read(cli: Cli) -> None:
    """From stdin, where no file is named."""
    result = cli("decode", stdin=encoded(PUT))
    assert (result.code, result.err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in result.out.replace("new image", "new").splitlines())
    assert lines["made"].startswith("2025-04-23 13:37:17+00:00, ")
    del lines["made"]
    assert lines == {
        "record": "2",
        "change": "INSERT of users",
        "version": "1745415436991:01:2",
        "keys": '{"id":"42"}',
        "new": '{"id":"42","name":"Zoë"}',
    }


@pytest.mark.parametrize("event", [stream_event([PUT, PUT]), [PUT, PUT], kinesis_event([PUT, PUT])])
def test_an_event_is_shown_record_by_record(cli: Cli, tmp_path: Path, event: Any) -> None:
    """Whichever service delivered it."""
    file = tmp_path / "event.json"
    file.write_bytes(encoded(event))
    assert cli("decode", str(file)).out.count("change     INSERT of users") == 2
    assert [record["table"] for record in cli("decode", str(file), "--json").json["records"]] == ["users"] * 2


def test_a_poison_record_is_told_on_stderr_with_exit_code_1(cli: Cli) -> None:
    """The others are shown, and its contents are not."""
    result = cli("decode", "-", stdin=encoded([POISON, PUT]))
    assert result.code == 1
    assert "record     2" in result.out
    assert result.err.startswith("record 3: ")
    assert "swordfish" not in result.out + result.err


def test_an_item_in_dynamodb_json_is_shown_with_every_digit(cli: Cli) -> None:
    """As JSON."""
    item = {"id": {"S": "1"}, "n": {"N": "12345678901234567890.123456789012345678"}}
    result = cli("decode", "--json", stdin=encoded(item))
    assert result.out == '{"value":{"id":"1","n":12345678901234567890.123456789012345678}}\n'
    assert json.loads(cli("decode", stdin=encoded(item)).out)["id"] == "1"


def test_a_stored_value_is_shown_by_the_encoding_that_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting says what is written, not what is asked about: it plays no part."""
    stored = zlib.compress(b'{"id":"1"}')
    assert cli("decode", "--encoding", "json+zlib", "--json", stdin=stored).out == '{"value":{"id":"1"}}\n'
    monkeypatch.setenv("DDB_CACHE_SYNC_ENCODING", "json+zlib")
    assert cli("decode", "--json", stdin=b'{"id":{"S":"1"}}').out == '{"value":{"id":"1"}}\n'


def test_the_stream_label_of_the_settings_counts(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version shown is the one that would be applied."""
    monkeypatch.setenv("DDB_CACHE_SYNC_STREAM_LABEL", "2020-01-01T00:00:00")
    assert cli("decode", "--json", stdin=encoded(PUT)).json["records"][0]["version"] == "1577836800000:01:2"


@pytest.mark.parametrize(
    ("options", "stdin"),
    [((), b"swordfish"), ((), b'{"swordfish":1}'), (("--encoding", "json"), b"swordfish")],
)
def test_what_can_not_be_decoded_is_not_repeated(cli: Cli, options: tuple[str, ...], stdin: bytes) -> None:
    """The message says what to give."""
    result = cli("decode", *options, stdin=stdin)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("failed: the input is ")
    assert "swordfish" not in result.err


@pytest.mark.parametrize("command", [["decode"], ["apply", "-", "--dry-run"]])
def test_a_byte_order_mark_is_passed_over(cli: Cli, command: list[str]) -> None:
    """Some editors and shells put one before UTF-8; what they write as UTF-16 is told."""
    assert cli(*command, "--json", stdin=codecs.BOM_UTF8 + encoded([PUT])).code == 0
    wide = cli(*command, stdin=json.dumps([PUT]).encode("utf-16"))
    assert wide == (2, "", "wrong usage: stdin is UTF-16, and JSON is UTF-8. Write it anew as UTF-8.\n")


@pytest.mark.parametrize(
    ("command", "content"),
    [
        (["decode"], b""),
        (["decode"], b"\n"),
        (["decode", "--encoding", "json"], b""),
        (["apply", "-", "--dry-run"], b""),
    ],
)
def test_nothing_to_read_is_wrong_usage(cli: Cli, command: list[str], content: bytes) -> None:
    """A pipe that brings nothing is a mistake before it."""
    result = cli(*command, stdin=content)
    assert result == (2, "", "wrong usage: stdin is empty. Name a file, or pipe one in.\n")


def test_a_value_of_one_attribute_can_be_empty(cli: Cli) -> None:
    """redis-cli ends it with a line feed."""
    assert cli("decode", "--encoding", "attribute:name", "--json", stdin=b"\n").code == 0


def test_a_file_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    """As is an encoding that nobody knows."""
    assert cli("decode", "none.json").code == 2
    assert cli("decode", "--encoding", "none", stdin=b"{}").code == 2
