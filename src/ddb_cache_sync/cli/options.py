"""What means the same in every command: options, each of which falls back to its setting, and exit codes."""

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
        ConfigurationError: It can't be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
