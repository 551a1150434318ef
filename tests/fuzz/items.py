"""Attribute values, records and events: decoded, encoded and applied, against boto3 as the oracle."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson
from tests.fuzz.making import item, json_bytes, junk, lambda_form, record, spoilt, spoilt_bytes
from tests.fuzz.oracle import NoOpinion, meaning, plain, told

from ddb_cache_sync import (
    AttributeEncoding,
    CacheSyncError,
    Compressed,
    DynamoDBJsonEncoding,
    HashEncoding,
    Image,
    JsonEncoding,
    KeyTemplate,
    Projection,
    RecordError,
    Replicator,
    apply_stream_event,
    decode_stream_event,
)
from ddb_cache_sync.core.readable import readable, readable_value
from ddb_cache_sync.testing import MemoryCache, kinesis_event

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

_JSON: Final = JsonEncoding()
_WHOLE: Final = DynamoDBJsonEncoding()
_ENCODINGS: Final = (
    _JSON,
    _WHOLE,
    HashEncoding(),
    AttributeEncoding("a"),
    Compressed(JsonEncoding(), above=0),
    Compressed(DynamoDBJsonEncoding(), "zstd", above=0),
)
_PROJECTIONS: Final = tuple(
    Projection(KeyTemplate("u:{id}"), encoding) for encoding in (_JSON, _WHOLE, HashEncoding(), Compressed(_JSON))
)


def values(r: random.Random) -> None:
    """A well-formed item means what boto3 says, in every encoding; a spoilt one is refused, or means the same."""
    wire = item(r)
    sound = r.random() < 0.5
    if not sound:
        wire = spoilt(r, wire)
    _mean_the_same(wire, sound=sound)
    if sound:
        delivered = Image(lambda_form(wire))
        assert _JSON.encode(delivered) == _JSON.encode(Image(wire))
        assert _WHOLE.encode(delivered) == _WHOLE.encode(Image(wire))


def _mean_the_same(wire: Any, *, sound: bool) -> None:
    if not isinstance(wire, dict):
        return
    try:
        meant: Mapping[str, Any] | None = meaning(wire)
    except NoOpinion:
        meant = None
    image = Image(wire)
    fault = image.fault()
    assert not (sound and fault), fault
    if fault is not None and fault.startswith("nested deeper"):
        return  # of those that only encode some carry more levels than an item can have
    for encoding in _ENCODINGS:
        try:
            stored = encoding.encode(image)
        except RecordError as error:
            assert fault is not None or not wire or isinstance(encoding, AttributeEncoding), error
            continue
        assert fault is None or isinstance(encoding, AttributeEncoding), encoding
        if stored is not None:
            encoding.decode(stored)
    if fault is not None:
        return
    ours = {name: told(value) for name, value in image.items()}
    if meant is None:
        # boto3 takes bytes alone, and ours also their base64 text; and its numbers keep trailing zeros that ours drop.
        assert not sound or "N" in str(wire), "boto3 refuses what was made well-formed"
        meant = ours
    assert _alike(ours, meant)
    assert _alike({name: told(value) for name, value in _WHOLE.decode(_WHOLE.encode(image)).items()}, meant)
    found = json.loads(_JSON.encode(image), parse_int=Decimal, parse_float=Decimal)
    assert _sets_sorted(found, meant)


def _alike(ours: Mapping[str, Any], meant: Mapping[str, Any]) -> bool:
    return dict(ours) == dict(meant)


def _sets_sorted(found: Any, meant: Mapping[str, Any]) -> bool:
    """Whether JSON says what was meant, the members of sets in whatever order."""
    wanted = {name: plain(value) for name, value in meant.items()}
    return bool(_in_order(found, meant) == wanted)


def _in_order(found: Any, meant: Mapping[str, Any]) -> Any:
    return {name: _ordered(content, meant[name]) if name in meant else content for name, content in found.items()}


def _ordered(found: Any, meant: Any) -> Any:
    kind, content = meant
    if kind == "set":
        return sorted({*found})
    if kind == "map":
        return (
            {name: _ordered(found[name], member) for name, member in content.items()}
            if found.keys() == content.keys()
            else found
        )
    if kind == "list" and len(found) == len(content):
        return [_ordered(one, other) for one, other in zip(found, content, strict=True)]
    return found


def events(r: random.Random) -> None:
    """An event ends with what its newest sound records say, however others are spoilt; nothing else comes out."""
    projection = r.choice(_PROJECTIONS)
    records, sound = _records(r)
    event: Any = r.choice(({"Records": records}, records))
    if r.random() < 0.05:
        event = spoilt(r, {"Records": records})
        sound = {}
    _apply(event, projection, sound)


def _records(r: random.Random) -> tuple[list[Any], dict[str, Any]]:
    """Records, some spoilt, and the newest image of each key that no spoilt one can concern."""
    first = 10 ** r.choice((20, 22)) - r.randrange(4)
    records: list[Any] = []
    newest: dict[str, Any] = {}
    spoilt_keys: set[str] = set()
    for place in range(r.randrange(1, 7)):
        made = record(r, ("id",), first + place)
        key = made["dynamodb"]["Keys"]["id"]["S"]
        if r.random() < 0.2:
            records.append(spoilt(r, lambda_form(made)))
            spoilt_keys.add(key)
        else:
            records.append(lambda_form(made) if r.random() < 0.9 else made)
            newest[key] = made["dynamodb"].get("NewImage")
    if spoilt_keys and r.random() < 0.5:
        r.shuffle(records)
    # A spoilt record may have become one of another key, such as one that ends in anything.
    if spoilt_keys:
        newest = {key: image for key, image in newest.items() if key not in spoilt_keys}
    return records, newest


def _apply(event: Any, projection: Projection, sound: Mapping[str, Any]) -> None:
    cache = MemoryCache()
    try:
        answer = apply_stream_event(event, Replicator(cache, projection))
    except CacheSyncError as error:
        assert not isinstance(error, RecordError) or str(error)
        return
    delivered = event["Records"] if isinstance(event, dict) else event
    numbers = [_number_of(each) for each in delivered]
    assert all(failure["itemIdentifier"] in numbers for failure in answer["batchItemFailures"])
    assert len(answer["batchItemFailures"]) <= 1
    for key, image in sound.items():
        found = cache.values.get(f"u:{key}")
        assert found == _wanted(image, projection), key


def _wanted(image: Mapping[str, Any] | None, projection: Projection) -> Any:
    """What a key should hold: nothing of what a global table of 2017 puts on its items."""
    if image is None:
        return None
    legacy = "aws:rep:updatetime" in image
    kept = {name: value for name, value in image.items() if not (legacy and name.startswith("aws:rep:"))}
    return projection.encoding.encode(Image(kept))


def _number_of(delivered: Any) -> Any:
    body = delivered.get("dynamodb") if isinstance(delivered, dict) else None
    number = body.get("SequenceNumber") if isinstance(body, dict) else None
    if number is None and isinstance(delivered, dict) and isinstance(delivered.get("kinesis"), dict):
        return delivered["kinesis"].get("sequenceNumber")
    return number


def kinesis(r: random.Random) -> None:
    """The same from a Kinesis data stream, its data spoilt too."""
    made = [lambda_form(record(r, ("id",), 1 + place)) for place in range(r.randrange(1, 5))]
    event: Any = kinesis_event(made, precision=r.choice(("MICROSECOND", "MILLISECOND", None)))
    if r.random() < 0.4:
        event = spoilt(r, event)
    elif r.random() < 0.5:
        body = r.choice(event["Records"])["kinesis"]
        body["data"] = spoilt_bytes(r, body["data"].encode()).decode("latin-1")
    elif r.random() < 0.5:
        import base64  # noqa: PLC0415

        body = r.choice(event["Records"])["kinesis"]
        body["data"] = base64.b64encode(spoilt_bytes(r, base64.b64decode(body["data"]))).decode()
    _apply(event, r.choice(_PROJECTIONS), {})


def decoding(r: random.Random) -> None:
    """The decoder gives records, or says why not, and nothing else."""
    event: Any = {"Records": _records(r)[0]}
    if r.random() < 0.5:
        event = spoilt(r, event)
    elif r.random() < 0.2:
        event = junk(r)
    try:
        for decoded in decode_stream_event(event):
            decoded.to_change()
    except CacheSyncError:
        return


def reading(r: random.Random) -> None:
    """What `decode` prints of any bytes is JSON, or an error that says why not."""
    tree: Any = r.choice((lambda: {"Records": _records(r)[0]}, lambda: lambda_form(item(r)), lambda: junk(r)))()
    if r.random() < 0.3:
        tree = spoilt(r, tree)
    content = json_bytes(lambda_form(tree))
    if r.random() < 0.3:
        content = spoilt_bytes(r, content)
    try:
        shown = readable(content, 1_745_415_437.0)
    except CacheSyncError:
        pass
    else:
        orjson.dumps(shown.value if shown.records is None else [each._asdict() for each in shown.records])
    encoding = r.choice(_ENCODINGS)
    try:
        stored = encoding.encode(Image(item(r))) or b""
    except RecordError:
        stored = b""
    given = orjson.dumps({k: v.decode() for k, v in stored.items()}) if isinstance(stored, dict) else bytes(stored)
    if r.random() < 0.6:
        given = spoilt_bytes(r, given)
    try:
        orjson.dumps(readable_value(given, encoding).value)
    except CacheSyncError:
        return
