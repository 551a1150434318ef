"""`ddb-cache-sync estimate`: what replicating a table takes, and what it costs beside the AWS sample's way."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from ddb_cache_sync.cli.console import messages, print_json, print_line, print_rows, results
from ddb_cache_sync.cli.options import AsJson
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.estimate import Estimate, Prices, Way, Workload, default_prices, read_prices
from ddb_cache_sync.estimate import estimate as estimate_of
from ddb_cache_sync.estimate import plot as draw
from ddb_cache_sync.estimate.formulas import FORMULAS

_DEFAULT = Workload()


def estimate(
    writes_per_second: Annotated[
        float, typer.Option(help="Changes of items per second, on average.")
    ] = _DEFAULT.writes_per_second,
    item_bytes: Annotated[int, typer.Option(help="An item's JSON, on average.")] = _DEFAULT.item_bytes,
    key_bytes: Annotated[int, typer.Option(help="A cache key, on average.")] = _DEFAULT.key_bytes,
    items: Annotated[int, typer.Option(help="How many items the table holds.")] = _DEFAULT.items,
    batch_size: Annotated[int, typer.Option(help="The most records in an invocation.")] = _DEFAULT.batch_size,
    window_seconds: Annotated[float, typer.Option(help="How long a batch is gathered.")] = _DEFAULT.window_seconds,
    parallelization: Annotated[
        int, typer.Option(help="Invocations at a time for each shard.")
    ] = _DEFAULT.parallelization,
    memory_mb: Annotated[int, typer.Option(help="The function's memory.")] = _DEFAULT.memory_mb,
    round_trip_ms: Annotated[
        float, typer.Option(help="From the function to the cache and back.")
    ] = _DEFAULT.round_trip_ms,
    shards: Annotated[
        int | None,
        typer.Option(
            help="Shards of the stream. Default: as many as the table must have partitions.", show_default=False
        ),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with numbers of your own, as --show-prices names them.")
    ] = None,
    show_prices: Annotated[
        bool, typer.Option("--show-prices", help="Print every number, its date and source, and do nothing else.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print every formula and what it gives, too.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.svg", help="Draw cost, concurrency and lag, too, into an SVG file."),
    ] = None,
    plot_over: Annotated[
        Literal["writes-per-second", "batch-size"], typer.Option(help="What changes along the plot that --plot draws.")
    ] = "writes-per-second",
    as_json: AsJson = False,
) -> None:
    """Estimate concurrency, lag, memory and cost, and find the first bottleneck. Talks to nothing.

    Beside it stands the way of the AWS sample that this library came from: batch size 1, one SET a record.
    """
    if plot is not None and plot.suffix.lower() != ".svg":
        raise ConfigurationError(f"can't draw {plot}: the plot is an SVG", hint="Name a file that ends in .svg.")
    numbers = default_prices() if prices is None else read_prices(prices)
    if show_prices:
        _show_prices(numbers, as_json=as_json)
        return
    workload = Workload(
        writes_per_second=writes_per_second,
        item_bytes=item_bytes,
        key_bytes=key_bytes,
        items=items,
        batch_size=batch_size,
        window_seconds=window_seconds,
        parallelization=parallelization,
        memory_mb=memory_mb,
        round_trip_ms=round_trip_ms,
        shards=shards,
    )
    found = estimate_of(workload, numbers)
    if plot is not None:
        _write(plot, draw(workload, numbers, plot_over))
    if as_json:
        print_json(found.to_json())
        return
    _show(found)
    if explain:
        _show_formulas(found)
    for warning in found.warnings:
        print_line(messages(), f"warning: {warning}", "yellow")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"can't write {path}: {error.strerror}") from None


def _show_prices(prices: Prices, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                name: {"kind": it.kind, "value": it.value, "unit": it.unit, "region": it.region, "as_of": it.as_of}
                | {"source": it.source}
                for name, it in prices.numbers.items()
            }
        )
        return
    rows: list[tuple[Text | str, ...]] = [
        tuple(Text(title, "bold") for title in ("number", "value", "unit", "as of", "source"))
    ]
    rows += [
        (f"{it.kind}.{name}", f"{it.value:.10g}", it.unit, it.as_of, it.source) for name, it in prices.numbers.items()
    ]
    print_rows(results(), rows)


def _show(found: Estimate) -> None:
    rows: list[tuple[Text | str, ...]] = [
        tuple(Text(title, "bold") for title in ("", "ddb-cache-sync", "original sample"))
    ]
    rows += [(name, *(each(way) for way in (found.ours, found.original))) for name, each in _ROWS]
    print_rows(results(), rows)
    print_line(
        results(), "\noriginal sample: the AWS sample that this library came from, batch size 1, one SET a record"
    )
    limit = found.bottleneck
    print_line(
        results(),
        f"{found.shards:,} shard{'s' if found.shards > 1 else ''}; another one is needed above "
        f"{found.items_that_fit:,} items or {found.writes_that_fit:,.0f} writes/s.",
    )
    # Where the number of shards was not given, it grows with the writes until something else is the limit.
    grown = ", as shards are added with the writes" if limit.writes_per_second > found.writes_that_fit else ""
    at = f"at {limit.writes_per_second:,.0f} writes/s{grown}"
    print_line(results(), f"First bottleneck: {limit.name}, {at}. {limit.change}")


def _show_formulas(found: Estimate) -> None:
    print_line(results(), "")
    rows: list[tuple[Text | str, ...]] = [tuple(Text(title, "bold") for title in ("what", "gives", "formula"))]
    rows += [
        (it.name, "-" if (value := it.value(found)) is None else f"{value:,.4g} {it.unit}".rstrip(), it.text)
        for it in FORMULAS
    ]
    print_rows(results(), rows)


def _keeps_up(way: Way) -> str:
    if way.hours_until_loss is None:
        return f"yes, up to {way.writes_per_second_at_most:,.0f} writes/s"
    return f"NO: {way.writes_per_second_at_most:,.0f} writes/s; loses records after {way.hours_until_loss:,.0f} h"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _usd(amount: float) -> str:
    return f"${amount:,.2f}"


_ROWS = (
    ("keeps up", _keeps_up),
    ("lag at most", lambda way: "grows" if way.lag_seconds is None else f"{way.lag_seconds:,.2f} s"),
    ("records in an invocation", lambda way: f"{_short(way.batch_records)} of {way.batch_records_at_most:,}"),
    ("duration", lambda way: f"{way.duration_ms:,.1f} ms"),
    ("invocations", lambda way: f"{_short(way.invocations_per_second)} /s"),
    ("at once", lambda way: f"{_short(way.concurrency)} of {way.invocations_at_most:,}"),
    ("memory", lambda way: f"{way.memory_bytes / 1e6:,.0f} MB, {way.guard_bytes / 1e6:,.0f} of it guards"),
    ("ECPUs", lambda way: f"{way.ecpus_per_second:,.0f} /s"),
    ("a month: function", lambda way: _usd(way.cost.function)),
    ("a month: serverless cache", lambda way: _usd(way.cost.ecpus + way.cost.storage)),
    ("  in all", lambda way: _usd(way.cost.serverless)),
    ("a month: nodes instead", lambda way: f"{_usd(way.cost.nodes)} ({way.primaries:,} with a replica each)"),
    ("  in all", lambda way: _usd(way.cost.node_based)),
)
