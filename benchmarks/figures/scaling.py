"""How the cost of a record changes with the size of the batch, the size of the item, and the number of appliers."""

from collections.abc import Iterator, Mapping
from multiprocessing import get_context
from statistics import median

import redis

from benchmarks import contenders
from benchmarks.applier import Applier
from benchmarks.contenders import applying
from benchmarks.measuring import Run, in_turn, seconds
from benchmarks.results import Result, Table
from benchmarks.workbench import Scale, Workbench
from benchmarks.workload import Workload, attribute_users, long_text_users, sized_users, users
from ddb_cache_sync import connect

_EVENT_BYTES = 2 << 20  # of items; with type names and envelopes several times as much


def run(bench: Workbench) -> Iterator[Result]:
    """One table for each."""
    url = bench.standalone().url
    yield _batch_sizes(url, bench.scale)
    yield _item_sizes(url, bench.scale)
    yield _attributes(url, bench.scale)
    yield _appliers(url, bench.scale)


def _batch_sizes(url: str, scale: Scale) -> Table:
    works = {str(size): users(size) for size in scale.batch_sizes}
    with connect(url) as client:
        client.flushall()
        apply = contenders.ours(client)
        micros = _micros({name: (applying(apply, [work]), work) for name, work in works.items()}, scale)
    return Table(
        "batch-size",
        "batch size: cost of a record, items of 600 B",
        ("records in an event", "µs/record", "records/s"),
        [(f"{int(name):,}", round(each, 1), round(1e6 / each)) for name, each in micros.items()],
        (
            "Each event costs a round trip and a call's overhead once: alone, a record pays for both.",
            "From about 100 on, the server works on the first script calls while the next are encoded.",
            "A very large event costs more a record. Garbage collection is not why: 8 to 9 % at 1,000 as at 10,000.",
        ),
    )


def _item_sizes(url: str, scale: Scale) -> Table:
    many, one = {}, {}
    for size in scale.item_sizes:
        count = max(1, min(scale.records, _EVENT_BYTES // size))
        many[size] = sized_users(count, size)
        one[size] = long_text_users(count, size)
    with connect(url) as client, redis.Redis.from_url(url) as plain_client:
        client.flushall()
        apply, plain = contenders.ours(client), contenders.plain_set(plain_client)
        runs = {f"many {size}": (applying(apply, [work]), work) for size, work in many.items()}
        runs |= {f"one {size}": (applying(apply, [work]), work) for size, work in one.items()}
        runs |= {f"plain {size}": (applying(plain, [work]), work) for size, work in many.items()}
        micros = _micros(runs, scale)
        client.flushall()
    rows = []
    for size, work in many.items():
        stored = sum(map(len, work.values.values())) / len(work.values)
        costs = [micros[f"{what} {size}"] for what in ("many", "one", "plain")]
        rows.append(
            (
                f"{size:,} B",
                len(work.values),
                *(cell for each in costs for cell in (round(each, 1), round(stored / each))),
            )
        )
    return Table(
        "item-size",
        "item size: cost of a record and bytes moved",
        (
            "item",
            "records in an event",
            "many attributes: µs/record",
            "MB/s",
            "one long string: µs/record",
            "MB/s",
            "plain SET: µs/record",
            "MB/s",
        ),
        rows,
        (
            "Small items pay per record. Large ones of many attributes pay for each attribute that is walked.",
            "One long string is only copied: by the client, the kernel and the server.",
        ),
    )


def _attributes(url: str, scale: Scale) -> Table:
    with connect(url) as client, redis.Redis.from_url(url) as plain_client:
        client.flushall()
        apply, plain = contenders.ours(client), contenders.plain_set(plain_client)
        runs = {}
        for values in scale.attributes:
            work = attribute_users(scale.records, values)
            runs[f"ours {values}"] = (applying(apply, [work]), work)
            runs[f"plain {values}"] = (applying(plain, [work]), work)
        micros = _micros(runs, scale)
        client.flushall()
    rows = []
    for values in scale.attributes:
        ours, other = micros[f"ours {values}"], micros[f"plain {values}"]
        rows.append((values, round(ours, 1), round(other, 1), round(other / ours, 2)))
    return Table(
        "attributes",
        "attributes: cost of a record by how many its item has, 600 B in all, every third a number",
        ("attributes", "µs/record", "plain SET: µs/record", "ours against plain SET"),
        rows,
        ("The plain SETs write bytes encoded beforehand, so only ours pays for each attribute.",),
    )


def _appliers(url: str, scale: Scale) -> Table:
    context = get_context("spawn")
    totals: dict[int, list[float]] = {count: [] for count in scale.appliers}
    with redis.Redis.from_url(url) as client:
        client.flushall()
    appliers = [Applier(context, url, number, scale.records) for number in range(max(scale.appliers))]
    try:
        times = max(1, round(scale.seconds * 80))
        for count in [*scale.appliers, *(list(scale.appliers) * max(1, scale.rounds // 6))]:
            spans = [applier.started(times) for applier in appliers[:count]]
            ended = [span() for span in spans]
            span = max(end for _, end in ended) - min(start for start, _ in ended)
            totals[count].append(count * times * scale.records / span)
    finally:
        for applier in appliers:
            applier.close()
    rates = {count: median(each[1:]) for count, each in totals.items()}
    first = rates[scale.appliers[0]]
    return Table(
        "appliers",
        "parallel appliers: a process each, one server",
        ("appliers", "records/s in all", "µs/record in all", "times one"),
        [(count, round(each), round(1e6 / each, 1), round(each / first, 2)) for count, each in rates.items()],
        (
            "Client processes and the server share this machine's cores, so they stop gaining once those are busy.",
            "With cores to spare the server's one thread is the next bound: see the server's cost of a key.",
        ),
    )


def _micros(runs: Mapping[str, tuple[Run, Workload]], scale: Scale) -> dict[str, float]:
    """Microseconds a record of each run, all in turn; each is repeated so that it takes about the scale's time."""
    repeated: dict[str, Run] = {}
    units: dict[str, int] = {}
    for name, (run, work) in runs.items():
        run()
        times = max(1, round(scale.seconds / seconds(run)))
        repeated[name] = _repeat(run, times)
        units[name] = times * len(work.records)
    times_of = in_turn(repeated, rounds=max(1, scale.rounds // 5), units=units)
    return {name: median(each) * 1e6 for name, each in times_of.items()}


def _repeat(run: Run, times: int) -> Run:
    def repeated() -> None:
        for _ in range(times):
            run()

    return repeated
