"""One item from its wire form to JSON bytes: ours against boto3's TypeDeserializer and json."""

import json
from collections.abc import Iterator

from benchmarks.contenders import plain
from benchmarks.measuring import in_turn, micros, times_faster
from benchmarks.results import Figure, Result, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import users
from ddb_cache_sync import Image, JsonEncoding

OURS = "JsonEncoding"
BOTO3 = "TypeDeserializer + json.dumps"


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn, over the items of one event."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - slow to import, and only for this

    images = [record["dynamodb"]["NewImage"] for record in users(bench.scale.records).records]
    encode = JsonEncoding().encode
    deserialize = TypeDeserializer().deserialize

    def ours() -> None:
        for image in images:
            encode(Image(image))

    def boto3() -> None:
        for image in images:
            item = {name: deserialize(value) for name, value in image.items()}
            json.dumps(item, default=plain, separators=(",", ":")).encode()

    times = in_turn({OURS: ours, BOTO3: boto3}, rounds=bench.scale.rounds, units=len(images))
    yield Figure(
        "encoding",
        "decoding: one item to JSON bytes, against TypeDeserializer + json.dumps",
        Target(4, "at least"),
        times_faster(times, OURS, than=BOTO3),
        contenders=(micros(times, OURS, "µs/item"), micros(times, BOTO3, "µs/item")),
        notes=("boto3's way makes floats of the numbers and can't read B values as Lambda delivers them.",),
    )
