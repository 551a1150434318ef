"""`ddb-cache-sync rebuild verify`: whether the new layout holds what the table holds."""

import typer

from ddb_cache_sync.cli.console import messages, print_json, print_line
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
)
from ddb_cache_sync.cli.rebuild_options import NewLayout, rebuilding
from ddb_cache_sync.cli.verify import say_looks, show
from ddb_cache_sync.cli.working import saying_stopped, working
from ddb_cache_sync.core.verify_settings import looks_of, sample_of
from ddb_cache_sync.sync.verify import DEFAULT_MOST_LISTED, VerifyOptions


def verify(
    table: TableOption,
    config: ConfigOption = None,
    new_layout: NewLayout = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    sample: Sample = None,
    looks: Looks = "1,5,30",
    read_capacity: ReadCapacity = None,
    listed: Listed = DEFAULT_MOST_LISTED,
    hash_keys: HashKeys = False,
    as_json: AsJson = False,
) -> None:
    """Compare the table with the new layout, both ways, as `verify` does.

    Exit code 0: consistent, so readers can switch; 3: drift found.
    """
    count, share = sample_of(sample)
    given = {"config": config, "new_layout": new_layout, "redis_url": redis_url}
    with (
        saying_stopped("the same command begins anew"),
        working() as told,
        rebuilding(table, region, endpoint_url, **given, key_template=key_template, encoding=encoding) as (it, chosen),
    ):
        options = VerifyOptions(
            count,
            looks_of(looks),
            read_capacity=read_capacity,
            most_listed=listed,
            stream_label_ms=chosen.stream_label_ms,
            sample_share=share,
        )
        report = it.verify(options, on_progress=told, on_looks=say_looks)
    if as_json:
        print_json(report.to_json(hash_keys=hash_keys))
    else:
        show(report, hash_keys=hash_keys)
    if not report.consistent:
        print_line(messages(), "next: set DDB_CACHE_SYNC_NEW_LAYOUT, and put it right with ddb-cache-sync repair")
        raise typer.Exit(EXIT_DRIFT)
    print_line(messages(), "next: switch the readers, then the function, and then ddb-cache-sync rebuild drop")
