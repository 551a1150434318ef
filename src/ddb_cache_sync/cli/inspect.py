"""`ddb-cache-sync inspect`: one cache key, as table, cache and guard have it."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer

from ddb_cache_sync.cli.console import print_json, print_line, print_rows, results
from ddb_cache_sync.cli.options import (
    EXIT_DRIFT,
    EXIT_FAILED,
    AsJson,
    ConfigOption,
    EncodingOption,
    EndpointUrl,
    KeyTemplateOption,
    RedisUrl,
    Region,
    TableOption,
    settings,
)
from ddb_cache_sync.cli.reaching import reached_cache
from ddb_cache_sync.cli.working import saying_stopped
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.primary_keys import primary_key
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.inspection import Inspection
from ddb_cache_sync.sync.inspection import inspect as look


def inspect(
    table: TableOption,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="A cache key.", show_default=False)] = None,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    item: Annotated[
        str | None,
        typer.Option(metavar="JSON", help='The item\'s primary key instead, such as {"id":"42"}.', show_default=False),
    ] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show contents, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the table and the cache hold for one key, and whether they agree.

    Exit code 0: they agree, or a change is being applied; 1: the item can't be carried; 3: drift.
    """
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    if (key is None) == (item is None):
        both = "neither a cache key nor an item's" if key is None else "a cache key and an item's"
        raise ConfigurationError(f"{both} primary key", hint="Give KEY or --item.")
    wanted = None if item is None else _primary_key(item)
    client = dynamodb_client(region, endpoint_url)
    with saying_stopped("nothing was written"), reached_cache(chosen) as cache:
        found = look(
            cache, chosen.router(), client, table, key=key, item=wanted, guard_ttl_seconds=chosen.guard_ttl_seconds
        )
    if as_json:
        print_json({"keys": [each.to_json(show_values=show_values) for each in found]})
    else:
        for each in found:
            _show(each, show_values=show_values)
    verdicts = {each.verdict for each in found}
    if verdicts & {"missing", "stale", "orphaned"}:
        raise typer.Exit(EXIT_DRIFT)
    if "failed" in verdicts:
        raise typer.Exit(EXIT_FAILED)


def _primary_key(text: str) -> Image:
    """The key attributes as plain JSON, or as DynamoDB JSON, which binary ones need."""
    try:
        read: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ConfigurationError("--item is not JSON", hint="""Write --item '{"id":"42"}'.""") from None
    if not isinstance(read, dict):
        raise ConfigurationError("--item is not an object", hint="""Write --item '{"id":"42"}'.""")
    return Image(read) if any(isinstance(value, dict) for value in read.values()) else primary_key(read, None)


def _show(each: Inspection, *, show_values: bool) -> None:
    shown, made = each.to_json(show_values=show_values), each.stream_created_at_ms
    rows = [
        ("key", each.key),
        ("verdict", each.verdict if each.reason is None else f"{each.verdict}: {each.reason}"),
        ("table", "has the item" if each.in_table else "has no such item"),
        ("cache", _sizes(shown) if each.in_cache else "has no such key"),
        ("value expires", _duration(each.value_expires_in_ms) if each.in_cache else "-"),
        ("guard", each.guard or "none"),
        ("of the stream", "not known" if made is None else f"made {datetime.fromtimestamp(made / 1000, UTC):%F %TZ}"),
        (
            "applied",
            "not known" if each.applied_at is None else f"{datetime.fromtimestamp(each.applied_at, UTC):%F %TZ}",
        ),
        ("sequence number", each.sequence_number or "not known"),
        ("repaired since", "yes" if each.repaired else "no"),
        ("guard expires", _duration(each.guard_expires_in_ms) if each.guard else "-"),
        ("node", each.node if each.slot is None else f"{each.node}, slot {each.slot}"),
    ]
    print_rows(results(), rows)
    if show_values:
        print_line(results(), f"expected: {shown['expected']}")
        print_line(results(), f"found:    {shown['found']}")


def _sizes(shown: dict[str, Any]) -> str:
    expected = "nothing" if shown["expected_bytes"] is None else f"{shown['expected_bytes']:,} bytes"
    return f"holds {shown['found_bytes']:,} bytes, expected {expected}"


def _duration(milliseconds: int | None) -> str:
    return "never" if milliseconds is None else f"in {milliseconds / 1000:,.0f} s"
