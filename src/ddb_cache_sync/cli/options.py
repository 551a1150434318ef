"""What means the same in every command: options, each of which falls back to its setting, and exit codes."""

import codecs
import os
import sys
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.settings import Settings

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_DRIFT: Final = 3

ConfigOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="A configuration file. Default: DDB_CACHE_SYNC_CONFIG.", show_default=False
    ),
]
RedisUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The cache's URL. Default: DDB_CACHE_SYNC_REDIS_URL.", show_default=False),
]
TableOption: TypeAlias = Annotated[str, typer.Option("--table", metavar="NAME", help="The table's name.")]
EndpointUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="DynamoDB's endpoint. Default: AWS_ENDPOINT_URL_DYNAMODB, or AWS.", show_default=False
    ),
]
Region: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The table's Region. Default: AWS_REGION, or the profile's.",
        envvar="AWS_REGION",
        show_envvar=False,
        show_default=False,
    ),
]
KeyTemplateOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key-template",
        metavar="TEMPLATE",
        help="The key template, such as users:{id}. Default: DDB_CACHE_SYNC_KEY_TEMPLATE, or the table's name and key.",
        show_default=False,
    ),
]
EncodingOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="The form of a stored item: json, dynamodb-json, hash or attribute:NAME; all but hash can end in +zlib or "
        "+zstd. Default: DDB_CACHE_SYNC_ENCODING.",
        show_default=False,
    ),
]
HashKeys: TypeAlias = Annotated[
    bool, typer.Option("--hash-keys", help="Show the beginning of each key's SHA-256 in its place.")
]
Sample: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Read about N items only, or a share such as 1%, chosen at random, and as many keys of the cache. "
        "Default: all.",
        show_default=False,
    ),
]
Looks: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="SECONDS",
        help="When what differs is looked at again. The stream may lag as long as the last two are apart.",
    ),
]
ReadCapacity: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="UNITS", help="Read capacity units a second. Default: full speed.", show_default=False),
]
Listed: TypeAlias = Annotated[
    int,
    typer.Option("--list", metavar="N", help="How many of the keys that drifted --json names, for repair to be given."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def settings(**options: str | None) -> Settings:
    """The settings from the environment, with the options that were given put over them.

    Raises:
        ConfigurationError: An unknown setting, or one that can't be right.
    """
    return Settings.from_environment(os.environ, {name: value for name, value in options.items() if value is not None})


def read_input(path: Path) -> bytes:
    """What a file has in it; `-` is stdin.

    Raises:
        ConfigurationError: It can't be read, or is empty.
    """
    try:
        found = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
    if not found:
        raise _empty(path)
    return found


def read_json_input(path: Path) -> bytes:
    """The same of a JSON file, without the byte order mark that some editors and shells put before it.

    Raises:
        ConfigurationError: It can't be read, is empty, or is UTF-16.
    """
    found = read_input(path)
    if found.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(f"{input_name(path)} is UTF-16, and JSON is UTF-8", hint="Write it anew as UTF-8.")
    if not found.strip():
        raise _empty(path)
    return found.removeprefix(codecs.BOM_UTF8)


def input_name(path: Path) -> str:
    """What a message calls a file; `-` is stdin."""
    return "stdin" if str(path) == "-" else str(path)


def _empty(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{input_name(path)} is empty", hint="Name a file, or pipe one in.")
