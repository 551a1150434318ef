"""`ddb-cache-sync verify`: whether the cache holds what the table holds."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ddb_cache_sync.cli.console import messages, print_json, print_line, print_rows, results
from ddb_cache_sync.cli.options import (
    EXIT_DRIFT,
    AsJson,
    ConfigOption,
    EncodingOption,
    EndpointUrl,
    HashKeys,
    KeyTemplateOption,
    Listed,
    Looks,
    ReadCapacity,
    RedisUrl,
    Region,
    Sample,
    TableOption,
    settings,
)
from ddb_cache_sync.cli.reaching import reached_cache
from ddb_cache_sync.cli.working import saying_stopped, working
from ddb_cache_sync.core.verify_settings import looks_of, sample_of
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.verify import DEFAULT_MOST_LISTED, VerifyOptions
from ddb_cache_sync.sync.verify import verify as compare
from ddb_cache_sync.sync.verify_html import verify_html
from ddb_cache_sync.sync.verify_report import VerifyReport, hashed

_MOST_SHOWN = 20


def verify(
    table: TableOption,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    sample: Sample = None,
    looks: Looks = "1,5,30",
    orphans: Annotated[
        bool, typer.Option("--orphans/--no-orphans", help="Read the cache for keys that no item explains.")
    ] = True,
    read_capacity: ReadCapacity = None,
    segments: Annotated[int, typer.Option(help="In how many pieces the table is read, at the same time.")] = 4,
    listed: Listed = DEFAULT_MOST_LISTED,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report for browsers, too.", show_default=False)
    ] = None,
    hash_keys: HashKeys = False,
    as_json: AsJson = False,
) -> None:
    """Compare a table with its cache, both ways, while the stream goes on.

    Exit code 0: consistent, 3: drift found.
    """
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    count, share = sample_of(sample)
    options = VerifyOptions(
        count,
        looks_of(looks),
        orphans,
        read_capacity,
        segments,
        guard_ttl_seconds=chosen.guard_ttl_seconds,
        most_listed=listed,
        stream_label_ms=chosen.stream_label_ms,
        sample_share=share,
    )
    client = dynamodb_client(region, endpoint_url)
    with (
        saying_stopped("the same command begins anew"),
        working() as told,
        reached_cache(chosen) as cache,
    ):
        report = compare(cache, chosen.router(), client, table, options, on_progress=told, on_looks=say_looks)
    if html is not None:
        _write(html, verify_html(report, hash_keys=hash_keys))
    if as_json:
        print_json(report.to_json(hash_keys=hash_keys))
    else:
        show(report, hash_keys=hash_keys)
    if not report.consistent:
        raise typer.Exit(EXIT_DRIFT)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"can't write {path}: {error.strerror}") from None


def say_looks(keys: int, seconds: float) -> None:
    """Say why nothing happens for a while."""
    differ = "1 key differs" if keys == 1 else f"{keys:,} keys differ"
    print_line(messages(), f"{differ}: looking again for {seconds:g} s")


def show(report: VerifyReport, *, hash_keys: bool) -> None:
    """Show a report to a person."""
    low, high = report.interval
    right = report.share_consistent
    share = f"{right:.4%} of {report.checked:,} keys are right"
    if not report.consistent:
        share = f"{1 - right:.4%} of {report.checked:,} keys differ, {right:.4%} are right"
    if report.sampled:
        share += f" (a sample; of all, with 95 % certainty, {low:.4%} to {high:.4%})"
    orphans = f"{report.orphaned:,}"
    if not report.orphans_searched:
        orphans += " (not searched for)"
    elif report.sampled:
        low, high = report.interval_orphaned
        orphans += f" (of a sample of the cache; of its keys, {low:.4%} to {high:.4%} are)"
    rows: list[tuple[Text | str, str]] = [
        (Text("consistent", "bold green") if report.consistent else Text("drift", "bold red"), share),
        ("missing", f"{report.missing:,}"),
        ("stale", f"{report.stale:,}"),
        ("orphaned", orphans),
        *(
            (f"lookup keys {kind}", f"{count:,}")
            for kind, count in (
                ("missing", report.lookups_missing),
                ("stale", report.lookups_stale),
                ("orphaned", report.lookups_orphaned),
            )
            if report.lookup_keys or count
        ),
        ("in flight", f"{report.in_flight:,}"),
        ("left out", f"{report.left_out:,}"),
        ("failed", f"{report.failed:,}"),
        ("read", f"{report.items:,} items, {report.cached_keys:,} cache keys in {report.seconds:.1f} s"),
        *(("where", f"{count:,} under {place}") for place, count in list(report.places.items())[:_MOST_SHOWN]),
        *(("note", note) for note in report.notes),
    ]
    print_rows(results(), rows)
    for each in report.drifts[:_MOST_SHOWN]:
        key = hashed(each.key) if hash_keys else each.key
        changed = ""
        if each.changed_at is not None:
            changed = f", last change applied {datetime.fromtimestamp(each.changed_at, UTC):%F %TZ}"
        print_line(results(), f"{each.kind.value} {key}{changed}")
    if report.drift > _MOST_SHOWN:
        print_line(results(), f"... and {report.drift - _MOST_SHOWN:,} more: --json names them")
