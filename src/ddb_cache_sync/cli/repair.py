"""`ddb-cache-sync repair`: bring single cache keys to what the table holds."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from ddb_cache_sync.cli.console import messages, print_json, print_line
from ddb_cache_sync.cli.options import (
    EXIT_FAILED,
    AsJson,
    ConfigOption,
    EncodingOption,
    EndpointUrl,
    KeyTemplateOption,
    RedisUrl,
    Region,
    TableOption,
    read_json_input,
    settings,
)
from ddb_cache_sync.cli.reaching import reached_cache
from ddb_cache_sync.cli.working import saying_stopped
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.repair import repair as repair_keys
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget, targets_of_report

_LEFT = (RepairAction.MOVED, RepairAction.REFUSED)


def repair(
    table: TableOption,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Cache keys.", show_default=False)] = None,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    keys_from: Annotated[
        Path | None, typer.Option(metavar="REPORT.json", help="What verify --json printed.", show_default=False)
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write. Default: tell only what would be done.")] = False,
    audit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append a line for each key to this file, not stdout.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring cache keys to what the table holds, while the stream goes on. A dry run, unless told to apply.

    Prints a line of JSON for each key: key, action and guard, no contents; with --json, counts as one object instead.
    Exit code 0: all agree by now, or would; 1: some key moved on or was refused.
    """
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    if keys_from is None and not keys:
        raise ConfigurationError("no keys to repair", hint="Give cache keys, or --keys-from with a report of verify.")
    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    targets = [RepairTarget(key) for key in keys or ()]
    if keys_from is not None:
        targets += targets_of_report(read_json_input(keys_from), table)
    counts: Counter[RepairAction] = Counter()
    client = dynamodb_client(region, endpoint_url)
    left = "not all is done: the same command does the rest" if apply else "nothing was written"
    with saying_stopped(left), reached_cache(chosen) as cache, _audit(audit) as lines:
        repaired = repair_keys(
            cache, chosen.router(), client, table, targets, apply=apply, guard_ttl_seconds=chosen.guard_ttl_seconds
        )
        for each in repaired:
            counts[each.action] += 1
            lines(each, quiet=as_json)
    if as_json:
        print_json({"applied": apply} | {action.value: counts[action] for action in RepairAction})
    else:
        said = ", ".join(f"{counts[action]} {action.value}" for action in RepairAction if counts[action])
        print_line(messages(), said if apply else f"dry run: {said}. Nothing was written; repeat with --apply")
    if any(counts[action] for action in _LEFT):
        raise typer.Exit(EXIT_FAILED)


class _Lines:
    """Writes a line for each key: to a file, or to stdout."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("ab")

    def __call__(self, each: Repaired, *, quiet: bool) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps(asdict(each)) + b"\n")
            self._file.flush()
        elif not quiet:
            print_json(asdict(each))

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()


@contextlib.contextmanager
def _audit(path: Path | None) -> Iterator[_Lines]:
    try:
        lines = _Lines(path)
    except OSError as error:
        raise ConfigurationError(f"can't write {path}: {error.strerror}") from None
    with contextlib.closing(lines):
        yield lines
