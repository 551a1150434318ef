"""Configuration files, settings from the environment, addresses, templates, names."""

from __future__ import annotations

import contextlib
import json
import tomllib
from typing import TYPE_CHECKING, Final

from tests.fuzz.making import key_value, spoilt_bytes, text
from tests.fuzz.scratch import written

from ddb_cache_sync import CacheSyncError, ConfigurationError, KeyTemplate, Remove, Version, connect, encoding_named
from ddb_cache_sync.config_check import checked_file, mistakes_of_settings
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey
from ddb_cache_sync.core.versions import StreamArn, parse_stream_label
from ddb_cache_sync.settings import PREFIX, VARIABLES, Settings

if TYPE_CHECKING:
    import random

ENCODINGS: Final = ("json", "dynamodb-json", "hash", "attribute:a", "json+zlib", "json+zstd", "attribute:", "JSON", "")
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


def config(r: random.Random) -> None:
    """A configuration file is right, or a `ConfigurationError` says what is wrong; no other error."""
    content = toml(r).encode("utf-8", "surrogatepass")
    if r.random() < 0.5:
        content = spoilt_bytes(r, content)
    settings, problems, _ = checked_file(written(content))
    if settings is None:
        assert all(problems)
        assert problems
        return
    assert settings.fingerprint
    tomllib.loads(content.decode("utf-8-sig"))  # what was taken is TOML


def toml(r: random.Random) -> str:
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
            return f"encoding = {_quoted(r.choice(ENCODINGS))}"
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
                lambda: r.choice(ENCODINGS),
                lambda: str(r.randrange(-2, 100)),
                lambda: _url(r),
            )
        )()
        for _ in range(r.randrange(5))
    }
    given.pop(PREFIX + "CONFIG", None)
    given = {name: value for name, value in given.items() if "AWS" not in name and "IAM" not in name}
    try:
        mistakes_of_settings(Settings.from_environment(given))
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
