"""Files, settings, templates, addresses and command lines."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.making import (
    fine_text,
    item,
    json_bytes,
    junk,
    key_value,
    lambda_form,
    record,
    spoilt,
    spoilt_bytes,
    text,
)

from ddb_cache_sync import CacheSyncError, ConfigurationError, KeyTemplate, Remove, Version, connect, encoding_named
from ddb_cache_sync.cli.app import run
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey
from ddb_cache_sync.core.versions import StreamArn, parse_stream_label
from ddb_cache_sync.settings import PREFIX, VARIABLES, Settings
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.repair_report import targets_of_report
from ddb_cache_sync.table.export_lines import Shape, read_lines
from ddb_cache_sync.table.export_manifests import parse_files, parse_summary

if TYPE_CHECKING:
    import random

_FOLDER: Final = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
_FILE: Final = Path(_FOLDER.name) / "input"
_ENCODINGS: Final = ("json", "dynamodb-json", "hash", "attribute:a", "json+zlib", "json+zstd", "attribute:", "JSON", "")
_MODES: Final = ("replicate", "invalidate", "refresh", "Replicate", "")
_TEMPLATES: Final = (
    "users:{id}",
    "{table}:{id}",
    "{id}",
    "{a}:{b}",
    "{id",
    "id}",
    "",
    "{{x}}:{id}",
    "{id}{id}",
    "{id!r}",
    "{0}",
    "{id:>10}",
)


def _file(content: bytes) -> Path:
    _FILE.write_bytes(content)
    return _FILE


def config(r: random.Random) -> None:
    """A configuration file is right, or a `ConfigurationError` says what is wrong; no other error."""
    content = _toml(r).encode("utf-8", "surrogatepass")
    if r.random() < 0.5:
        content = spoilt_bytes(r, content)
    try:
        settings = Settings.from_file(_file(content))
        settings.check()
        assert settings.fingerprint
    except ConfigurationError as error:
        assert str(error)
        return
    tomllib.loads(content.decode())  # what was taken is TOML


def _toml(r: random.Random) -> str:
    lines = [_setting(r) for _ in range(r.randrange(4))]
    for _ in range(r.randrange(3)):
        lines.append("[[routes]]")
        lines += [_route_setting(r) for _ in range(r.randrange(5))]
    return "\n".join(lines) + "\n"


def _setting(r: random.Random) -> str:
    if r.random() < 0.5:
        return _route_setting(r)
    name = r.choice((*VARIABLES, "routes", text(r)))
    return f"{name} = {_toml_value(r)}"


def _route_setting(r: random.Random) -> str:
    match r.randrange(9):
        case 0:
            return f"key_template = {_quoted(_template(r))}"
        case 1:
            return f"encoding = {_quoted(r.choice(_ENCODINGS))}"
        case 2:
            return f"mode = {_quoted(r.choice(_MODES))}"
        case 3:
            return f"table = {_quoted(text(r))}"
        case 4:
            return f"key = {{ {_quoted(text(r))} = {_quoted(r.choice(('USER#*', '?', '*', '', '[')))} }}"
        case 5:
            return f"include = [{_quoted(text(r))}, {_quoted(text(r))}]"
        case 6:
            return f"value_ttl_seconds = {r.choice(('1', '0', '-1', '1e400', 'nan', 'inf', '9' * 400, '3600.5'))}"
        case 7:
            return f"lookups = {{ {_quoted(_template(r))} = {_quoted(r.choice(('key', 'item', 'other')))} }}"
        case _:
            return f"{r.choice(('ttl_attribute', 'keep_ttl_removals', 'exclude', 'attribute'))} = {_toml_value(r)}"


def _toml_value(r: random.Random) -> str:
    return r.choice(
        (
            lambda: _quoted(text(r)),
            lambda: str(r.randrange(-5, 10**6)),
            lambda: "true",
            lambda: "[[1, 'a'], {}]",
            lambda: "{ a = 1 }",
            lambda: "1979-05-27T07:32:00Z",
            lambda: "9" * r.choice((20, 5000)),
            lambda: "[" * r.choice((5, 3000)),
        )
    )()


def _quoted(content: str) -> str:
    return json.dumps(content)


def _template(r: random.Random) -> str:
    return r.choice((*_TEMPLATES, text(r, odd=0.4), "{" + text(r) + "}:" + text(r)))


def environment(r: random.Random) -> None:
    """So are settings from the environment."""
    given = {
        PREFIX + (r.choice(VARIABLES).upper() if r.random() < 0.95 else text(r)): r.choice(
            (
                lambda: text(r, odd=0.4),
                lambda: _template(r),
                lambda: r.choice(_ENCODINGS),
                lambda: str(r.randrange(-2, 100)),
                lambda: _url(r),
            )
        )()
        for _ in range(r.randrange(5))
    }
    given.pop(PREFIX + "CONFIG", None)
    given = {name: value for name, value in given.items() if "AWS" not in name and "IAM" not in name}
    try:
        Settings.from_environment(given).check()
    except CacheSyncError as error:
        assert isinstance(error, ConfigurationError)


def _url(r: random.Random) -> str:
    scheme = r.choice(("redis", "rediss", "unix", "http", "", "REDIS"))
    host = r.choice(("localhost", "127.0.0.1", "[::1]", "[", "user:p@ss@h", "h:99999", "h:-1", "h:x", "", text(r)))
    query = r.choice(
        ("", "?cluster=true", "?cluster=maybe", "?db=x", "?ssl_ca_certs=/nowhere", "?socket_timeout=nan", "?" + text(r))
    )
    return f"{scheme}://{host}{r.choice(('', ':6379', '/0', '/x', '/' + text(r)))}{query}"


def addresses(r: random.Random) -> None:
    """The URL of a cache is taken, or refused with a `ConfigurationError` that does not repeat it."""
    url = _url(r)
    try:
        client = connect(url)
    except ConfigurationError as error:
        assert "p@ss" not in str(error)
        return
    client.close()


def templates(r: random.Random) -> None:
    """A template is refused, or makes keys that it can take apart again, each of one item."""
    made = _template(r)
    try:
        template = KeyTemplate(made)
    except ConfigurationError:
        return
    keys = [ItemKey("T", Image({"id": key_value(r), "a": key_value(r), "b": key_value(r)})) for _ in range(2)]
    written = []
    for key in keys:
        try:
            written.append(template(Remove(key, Version.of(1, "1"))))
        except CacheSyncError:
            return
    for key, cache_key in zip(keys, written, strict=True):
        cache_key.encode()
        values = template.values_of(cache_key)
        if values is not None and "id" in values and "S" in key.attributes.wire["id"]:
            assert values["id"] == key.attributes.wire["id"]["S"]


def names(r: random.Random) -> None:
    """Versions, ARNs, labels and names of encodings are read, or refused with the documented error."""
    stem = r.choice(
        (
            "1745415436991:27:202328600001712385967261751",
            "2025-04-23T13:37:16.991",
            "json+zlib",
            "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2025-04-23T13:37:16.991",
        )
    )
    given = (
        spoilt_bytes(r, stem.encode()).decode("utf-8", r.choice(("replace", "surrogateescape")))
        if r.random() < 0.8
        else text(r)
    )
    for read in (Version.parse, StreamArn.parse, parse_stream_label):
        with contextlib.suppress(ValueError):
            found = read(given)
            if isinstance(found, Version):
                assert str(found) == given
    with contextlib.suppress(ConfigurationError):
        encoding_named(given)


def files(r: random.Random) -> None:
    """Exports, reports of verify and checkpoints are read, or refused with a documented error."""
    tree: Any
    match r.randrange(4):
        case 0:
            lines = [json_bytes(_line(r)) for _ in range(r.randrange(1, 4))]
            packed = gzip.compress(b"\n".join(lines) + b"\n", 1)
            if r.random() < 0.3:
                packed = spoilt_bytes(r, packed)
            shape = Shape(r.choice(("full", "incremental")), "T", r.choice((["id"], None)), len(lines))
            with contextlib.suppress(CacheSyncError):
                for _ in read_lines(io.BytesIO(packed), "file", shape, 0):
                    pass
        case 1:
            arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/T"
            tree = {
                "version": "2023-08-01",
                "exportArn": f"{arn}/export/01234567890123-a1b2c3d4",
                "tableArn": arn,
                "startTime": "2024-01-01T00:00:00.000Z",
                "endTime": "2024-01-01T00:05:00.000Z",
                "exportTime": "2024-01-01T00:00:00.000Z",
                "exportFromTime": None,
                "exportToTime": None,
                "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
                "itemCount": 5,
                "outputFormat": "DYNAMODB_JSON",
                "exportType": "FULL_EXPORT",
            }
            content = _content(r, tree)
            with contextlib.suppress(CacheSyncError):
                summary = parse_summary(content, "summary")
                listed = {
                    "itemCount": 5,
                    "md5Checksum": "sQMSpEILNgoQmarvDFonGQ==",
                    "etag": "x",
                    "dataFileS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/data/a.json.gz",
                }
                parse_files(_content(r, listed), "files", summary)
        case 2:
            report = {"table": "T", "keys_hashed": False, "drifts": [{"key": "T:1", "item": {"id": {"S": "1"}}}]}
            with contextlib.suppress(ConfigurationError):
                targets_of_report(_content(r, report), "T")
        case _:
            position = {"format": 1, "job": {"a": 1}, "positions": {"0": {"id": {"S": "a"}}}, "done": ["1"]}
            with contextlib.suppress(ConfigurationError):
                Checkpoint(_file(_content(r, position)), {"a": 1}).position("0")


def _line(r: random.Random) -> Any:
    whole = lambda_form(item(r) | {"id": key_value(r)})
    tree: Any = {"Item": whole}
    if r.random() < 0.5:
        tree = {
            "Metadata": {"WriteTimestampMicros": {"N": "1680109764000300"}},
            "Keys": {"id": whole["id"]},
            "NewImage": whole,
        }
    return spoilt(r, tree) if r.random() < 0.5 else tree


def _content(r: random.Random, tree: Any) -> bytes:
    content = json_bytes(spoilt(r, tree) if r.random() < 0.5 else tree)
    return spoilt_bytes(r, content) if r.random() < 0.3 else content


_COMMANDS: Final = (
    ("decode",), ("decode", "--json"), ("decode", "--encoding"), ("config", "check"), ("config", "check", "--json"),
    ("config", "schema"), ("apply", "--dry-run"), ("apply", "--dry-run", "--json"), ("estimate",), ("estimate", "--json"),
    ("--help",), ("verify",), ("repair",), ("inspect",), ("backfill",), ("demo", "--help"), ("doctor", "--help"), (),
)  # fmt: skip
_OPTIONS: Final = (
    "--json", "--table", "--redis-url", "--key-template", "--encoding", "--writes-per-second", "--item-bytes", "--items",
    "--batch-size", "--prices", "--show-prices", "--explain", "--config", "--nonsense", "-", "--",
)  # fmt: skip


def command_line(r: random.Random) -> None:
    """A command ends with one of the documented exit codes, whatever it is given, and shows no traceback."""
    start = list(r.choice(_COMMANDS))
    tree: Any = {"Records": [lambda_form(record(r, ("id",), 1 + n)) for n in range(2)]}
    content = _content(r, tree if r.random() < 0.7 else junk(r))
    arguments = start
    if start and start[0] in {"decode", "apply"} and r.random() < 0.9:
        if start[-1] == "--encoding":
            start.append(r.choice(_ENCODINGS))
        arguments = [*start, str(_file(content))]
    elif start[:2] == ["config", "check"]:
        arguments = [*start, str(_file(spoilt_bytes(r, _toml(r).encode("utf-8", "replace"))))]
    for _ in range(r.randrange(3)):
        arguments.insert(
            r.randrange(len(arguments) + 1), r.choice((r.choice(_OPTIONS), fine_text(r), str(r.randrange(-3, 10**7))))
        )
    if _reaches_out(arguments):
        return
    code, said = _run([each.replace("\x00", "") for each in arguments])
    assert code in {0, 1, 2, 3}, (code, arguments)
    assert "Traceback" not in said


def _reaches_out(arguments: list[str]) -> bool:
    """Whether the command could talk to a server, which would be waited for, or start one."""
    commands = [
        each for each in arguments if each in {"verify", "repair", "inspect", "backfill", "demo", "doctor", "apply"}
    ]
    if "apply" in commands and "--dry-run" in arguments and "--" not in arguments:
        return False
    return bool(commands) and "--help" not in arguments[: arguments.index(commands[0]) + 2]


def _run(arguments: list[str]) -> tuple[int, str]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["ddb-cache-sync", *arguments], io.TextIOWrapper(io.BytesIO(b"{}"))
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv, sys.stdin = before
    out.flush()
    err.flush()
    said = err.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
    return (0 if code is None else code), said
