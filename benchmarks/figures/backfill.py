"""A backfill from an export: ours against a plain pipeline that reads the same file and writes the same values."""

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import redis

from benchmarks.measuring import in_turn, rate, times_faster
from benchmarks.results import Figure, Result, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import KEYS, user, users
from ddb_cache_sync import Backfill, Image, JsonEncoding, Projection, connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.item_sources import ExportSource
from ddb_cache_sync.table.descriptions import TableDescription
from ddb_cache_sync.testing import write_export

OURS = "ours"
PLAIN = "gzip + orjson + JsonEncoding + pipeline of SET"
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/users"
EXPORTED_AT = 1_745_415_437.0
PAGE = 500  # items in one pipeline, as ours has them
TABLE = TableDescription(
    "users",
    ARN,
    ("id",),
    stream_enabled=True,
    stream_view_type="NEW_IMAGE",
    stream_arn=None,
    stream_label=None,
    item_count=0,
    size_bytes=0,
    ttl_attribute=None,
    point_in_time_recovery=True,
)


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn, each the whole file in one thread."""
    count = bench.scale.events * bench.scale.records
    url = bench.standalone().url
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(url) as our_client,
        redis.Redis.from_url(url) as their_client,
    ):
        export = write_export(
            folder, (user(number) for number in range(count)), table="users", files=1, exported_at=EXPORTED_AT
        )
        [file] = (export / "data").iterdir()
        cache, projection = cache_of(our_client, 90_000), Projection(KEYS)

        def ours() -> None:
            source = ExportSource(folder, TABLE)
            report = Backfill(cache, projection, source, Checkpoint(None, {}), clock=lambda: EXPORTED_AT).run()
            if report.written != count:
                raise AssertionError(f"not all is written: {report}")

        for each in (ours, lambda: _plain(file, their_client)):
            their_client.flushall()
            each()
            expected = users(bench.scale.records).values
            if any(their_client.get(key) != value for key, value in expected.items()):
                raise AssertionError("the cache does not hold what the export says")
        times = in_turn({OURS: ours, PLAIN: lambda: _plain(file, their_client)}, rounds=bench.scale.rounds, units=count)
    yield Figure(
        "backfill",
        "backfill: from an export, against a plain pipeline that reads the same file, no guard",
        Target(0.7, "at least"),
        times_faster(times, OURS, than=PLAIN),
        contenders=(rate(times, OURS, "items/s"), rate(times, PLAIN, "items/s")),
        notes=("Both decode and encode each item in the same way; ours also checks the file's MD5 and each line.",),
    )


def _plain(path: Path, client: redis.Redis) -> None:
    encode = JsonEncoding().encode
    pipeline = client.pipeline(transaction=False)
    with gzip.open(path) as lines:
        for number, line in enumerate(lines, start=1):
            item = orjson.loads(line)["Item"]
            pipeline.set(f"users:{item['id']['S']}", encode(Image(item)) or b"")
            if number % PAGE == 0:
                pipeline.execute()
    pipeline.execute()
