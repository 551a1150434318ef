"""Random changes to a DynamoDB table: for the demo, for the deployed example and for load tests.

`random_changes` decides what happens and is pure: no I/O and no clock, so the same seed gives the same changes on
every machine. `simulate` makes them happen. `handler` does both inside Lambda, set up by environment variables.

boto3 is imported only when a client is needed.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

logger = logging.getLogger(__name__)

# Not all of them ASCII, so that a length in characters taken for one in bytes shows.
NAMES = (
    *("Alice", "Bruno", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hiroshi", "Ines", "Jørgen"),
    *("Kwame", "Łucja", "María", "Nadia", "Oluwaseun", "Priya", "Quentin", "Rosa", "Søren", "Tomás"),
    *("Uma", "Víctor", "Wei", "Xochitl", "Yusuf", "Zoë", "さくら", "王芳"),
)
_TAGS = ("archived", "beta", "invited", "newsletter", "partner", "premium", "staff", "trial")
_CITIES = ("Bergen", "Cork", "Gdańsk", "Lyon", "Porto", "Turin")
_PROSE = "Asked to be called back on Tuesday; prefers e-mail. Moved in spring, new address confirmed. "

_PUT_SHARE = 2 / 3
_MAX_ITEM_BYTES = 400 * 1024  # DynamoDB's own limit
_DEFAULT_COUNT = 10


@dataclass(frozen=True, slots=True)
class PutChange:
    """An item to write, complete but for the time of writing.

    Attributes:
        id: Value of the partition key, `"1"` to the number of ids.
        attributes: DynamoDB JSON of the attributes other than the key and the times.
    """

    id: str
    attributes: Mapping[str, AttributeValueTypeDef]


@dataclass(frozen=True, slots=True)
class RemoveChange:
    """An item to delete, whether or not it exists.

    Attributes:
        id: Value of the partition key.
    """

    id: str


Change: TypeAlias = PutChange | RemoveChange


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What became of a run's changes.

    Attributes:
        upserts: Items written.
        deletes: Deletions the table accepted; the item need not have existed.
        errors: How often each error code came; empty when all went well.
    """

    upserts: int
    deletes: int
    errors: Mapping[str, int]

    @property
    def succeeded(self) -> int:
        """Changes the table accepted."""
        return self.upserts + self.deletes

    @property
    def failed(self) -> int:
        """Changes it did not."""
        return sum(self.errors.values())

    def as_dict(self) -> dict[str, Any]:
        """Give the report in JSON's types: succeeded, failed, upserts, deletes, errors."""
        return {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "upserts": self.upserts,
            "deletes": self.deletes,
            "errors": dict(self.errors),
        }


class WritableTable(Protocol):
    """The two operations of boto3's low-level DynamoDB client that a simulation calls."""

    def put_item(self, *, TableName: str, Item: Mapping[str, AttributeValueTypeDef]) -> object:  # noqa: N803 - AWS's names
        """Write a whole item. Idempotent."""

    def delete_item(self, *, TableName: str, Key: Mapping[str, AttributeValueTypeDef]) -> object:  # noqa: N803 - AWS's names
        """Delete an item if it exists. Idempotent."""


def random_changes(
    seed: int, count: int | None = None, *, ids: int = 100, item_bytes: int | None = None
) -> Iterator[Change]:
    """Give random changes, two upserts for each delete; a pure function of its arguments.

    The order of ids, upserts and deletes depends on `seed` and `ids` alone, whatever the items' size.

    Args:
        seed: Any whole number.
        count: How many; None goes on for ever.
        ids: Keys are `"1"` to this number, drawn evenly.
        item_bytes: None writes a name only. A number adds attributes of every DynamoDB type (some 400 bytes), padded
            until the item is about that large, counted as DynamoDB does. At most 400 KB.

    Raises:
        ConfigurationError: An argument out of its range.
    """
    if count is not None and count < 0:
        raise ConfigurationError(f"the number of changes can't be {count}", hint="Give 0 or more.")
    if ids < 1:
        raise ConfigurationError(f"the number of ids can't be {ids}", hint="Give 1 or more.")
    if item_bytes is not None and not 0 <= item_bytes <= _MAX_ITEM_BYTES:
        raise ConfigurationError(f"an item can't have {item_bytes} bytes", hint=f"Give 0 to {_MAX_ITEM_BYTES}.")
    return _generate(seed, itertools.count() if count is None else range(count), ids, item_bytes)


def simulate(
    client: WritableTable,
    table: str,
    changes: Iterable[Change],
    *,
    partition_key: str = "id",
    rate: float | None = None,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], None] = time.sleep,
    on_change: Callable[[Change, str | None], None] | None = None,
) -> SimulationReport:
    """Apply changes to a table one after the other, going on after errors.

    An item written also carries when: `timestamp` (S, ISO 8601 in UTC) and `writtenAtMs` (N, epoch milliseconds).

    Args:
        client: boto3's low-level DynamoDB client, or something with the same two methods.
        table: Its name.
        changes: From `random_changes`, or one's own.
        partition_key: Name of the table's partition key, of type S; the table has no sort key.
        rate: Changes a second, at most; None is as fast as it goes.
        clock: Gives the time in epoch seconds.
        wait: Called with the seconds to pause, to keep the rate.
        on_change: Called after each change with it and the error code, None where the table accepted it.

    Raises:
        ConfigurationError: The rate is not positive, or credentials are missing (no later change could succeed).
    """
    from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, translate  # noqa: PLC0415 - loads boto3

    if rate is not None and rate <= 0:
        raise ConfigurationError(f"the rate can't be {rate} changes a second", hint="Give more than 0, or none.")
    upserts = deletes = 0
    errors: Counter[str] = Counter()
    for change in changes if rate is None else _paced(changes, 1 / rate, clock, wait):
        code = None
        try:
            _write(client, table, partition_key, change, clock())
        except AWS_ERRORS as error:
            failure = translate(error, f"write to table {table}")
            if isinstance(failure, ConfigurationError):
                raise failure from None
            code = error_code(error)
            errors[code] += 1
        else:
            upserts += isinstance(change, PutChange)
            deletes += isinstance(change, RemoveChange)
        if on_change is not None:
            on_change(change, code)
    return SimulationReport(upserts, deletes, dict(errors))


def handler(event: object, context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Run one simulation as a Lambda function.

    Environment: `DYNAMODB_TABLE` (required), `CHANGES_COUNT` (default 10), `SEED` (default: a new one each time),
    `PARTITION_KEY` (default `id`).

    Returns:
        The report as a dict, and the `seed` that repeats the run.

    Raises:
        ConfigurationError: A variable is missing or wrong.
    """
    table = os.environ.get("DYNAMODB_TABLE", "").strip()
    if not table:
        raise ConfigurationError("DYNAMODB_TABLE is not set", hint="Set it to the name of the table to change.")
    count = _whole_number("CHANGES_COUNT", least=0)
    seed = _whole_number("SEED")
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    changes = random_changes(seed, _DEFAULT_COUNT if count is None else count)
    partition_key = os.environ.get("PARTITION_KEY", "").strip() or "id"
    report = {"seed": seed, **simulate(_lambda_client(), table, changes, partition_key=partition_key).as_dict()}
    logger.info("simulation finished: %s", report)
    return report


def _generate(seed: int, numbers: Iterable[int], ids: int, item_bytes: int | None) -> Iterator[Change]:
    # Only random() is used, whose sequence Python keeps from version to version; choice() and the like may change.
    # The contents have a generator of their own, so that a larger item doesn't change which ids come.
    order, contents = random.Random(seed), random.Random(seed)
    for _ in numbers:
        key = str(1 + _pick(order, ids))
        is_put = order.random() < _PUT_SHARE
        name = NAMES[_pick(order, len(NAMES))]
        if is_put:
            yield PutChange(key, _attributes(contents, name, item_bytes))
        else:
            yield RemoveChange(key)


def _attributes(contents: random.Random, name: str, item_bytes: int | None) -> dict[str, AttributeValueTypeDef]:
    plain: dict[str, AttributeValueTypeDef] = {"name": {"S": name}}
    if item_bytes is None:
        return plain
    digits = "".join(str(_pick(contents, 10)) for _ in range(36))
    first_tag = _pick(contents, len(_TAGS))
    rich: dict[str, AttributeValueTypeDef] = {
        **plain,
        "active": {"BOOL": contents.random() < 0.5},
        "referrer": {"NULL": True},
        "balance": {"N": f"-{1 + _pick(contents, 9)}{digits[:25]}.{digits[25:]}1"},  # all 38 digits
        "address": {
            "M": {
                "city": {"S": _CITIES[_pick(contents, len(_CITIES))]},
                "position": {"L": [{"N": f"5{digits[0]}.{digits[1:6]}1"}, {"N": f"1{digits[6]}.{digits[7:12]}1"}]},
            }
        },
        "orders": {"L": [{"M": {"total": {"N": f"1{digits[12:15]}"}, "gift": {"BOOL": False}}}, {"S": "draft"}]},
        "tags": {"SS": sorted({_TAGS[first_tag], _TAGS[first_tag - 3]})},
        "lotteryNumbers": {"NS": [f"1{digits[16]}", f"2{digits[17]}", f"-3{digits[18]}.5"]},
        "avatar": {"B": _some_bytes(contents, 24)},
        "devices": {"BS": [b"\x00" + _some_bytes(contents, 7), b"\xff" + _some_bytes(contents, 7)]},
    }
    missing = item_bytes - _size_of(rich) - _FIXED_BYTES - len("notes")
    if missing > 0:
        start = _pick(contents, len(_PROSE))
        text = _PROSE[start:] + _PROSE * (missing // len(_PROSE) + 1)
        rich["notes"] = {"S": text[:missing]}
    return rich


def _pick(source: random.Random, below: int) -> int:
    return int(source.random() * below)


def _some_bytes(source: random.Random, length: int) -> bytes:
    return bytes(_pick(source, 256) for _ in range(length))


def _size_of(attributes: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _value_size(value) for name, value in attributes.items())


def _value_size(value: Mapping[str, Any]) -> int:
    """Count bytes as DynamoDB's documentation says: two digits a byte, 3 bytes for a list or map, 1 an element."""
    ((kind, content),) = value.items()
    match kind:
        case "S" | "B":
            return len(content if isinstance(content, bytes) else content.encode())
        case "N":
            return (len(content) + 1) // 2 + 1
        case "SS" | "NS" | "BS":
            return sum(_value_size({kind[0]: element}) for element in content)
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "M":
            return 3 + len(content) + _size_of(content)
        case _:  # BOOL and NULL
            return 1


def _written_at(seconds: float) -> dict[str, AttributeValueTypeDef]:
    milliseconds = int(seconds * 1000)
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return {
        "timestamp": {"S": moment.isoformat(timespec="milliseconds")},
        "writtenAtMs": {"N": str(milliseconds)},
    }


# The key and the times, which are added on writing; any moment of these centuries has this size.
_FIXED_BYTES = len("id") + 3 + _size_of(_written_at(1_700_000_000))


def _write(client: WritableTable, table: str, partition_key: str, change: Change, now: float) -> None:
    key: dict[str, AttributeValueTypeDef] = {partition_key: {"S": change.id}}
    if isinstance(change, PutChange):
        client.put_item(TableName=table, Item={**change.attributes, **_written_at(now), **key})
    else:
        client.delete_item(TableName=table, Key=key)


def _paced(
    changes: Iterable[Change], interval: float, clock: Callable[[], float], wait: Callable[[float], None]
) -> Iterator[Change]:
    begin = clock()
    for number, change in enumerate(changes):
        # Never longer than one interval: a clock set back must not stop the run for as long as it was set back.
        pause = min(begin + number * interval - clock(), interval)
        if pause > 0:
            wait(pause)
        yield change


@functools.cache
def _lambda_client() -> WritableTable:
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    return dynamodb_client()


def _whole_number(variable: str, *, least: int | None = None) -> int | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        raise ConfigurationError(f"{variable} is not a whole number", hint="Give digits only, such as 10.") from None
    if least is not None and number < least:
        raise ConfigurationError(f"{variable} can't be {number}", hint=f"Give {least} or more.")
    return number
