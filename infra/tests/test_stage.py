"""The template runs here as written: real archive, real handlers, the template's environment, users and properties."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties
from ddb_cache_sync.simulator import NAMES
from ddb_cache_sync.testing.chaos import Chaos
from tests.stage.stage import Stage, staged
from tests.support import MISSING, drift
from tests.templates import Template

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

MINUTES = 10
FASTER = 120  # ten minutes of the schedule in five seconds


@pytest.fixture(scope="module")
def stage(template: Template) -> Iterator[Stage]:
    """Give the template of the defaults, alive."""
    with staged(template) as running:
        yield running


def replicating(
    stage: Stage, handler: Any, properties: EventSourceMappingProperties | None = None
) -> EventSourceMapping:
    """The template's event source mapping, with this handler."""
    return EventSourceMapping(
        stage.dynamodb.streams(),
        stage.stream_arn,
        handler,
        properties or stage.mapping_properties(),
        on_failure=stage.destination,
    )


def replicator_of(stage: Stage) -> Any:
    """The template's function, as a handler."""
    function = stage.function("ReplicatorFunction")

    def handler(event: Any, context: Any) -> Any:
        return function.invoke(event, context.get_remaining_time_in_millis() / 1000)

    return handler


def simulate(stage: Stage, minutes: int) -> int:
    """Let the simulator's schedule pass, faster; gives how many changes the table has accepted."""
    function = stage.function("Simulator")
    (rule,) = [
        rule
        for rule in stage.template.of_type("Events::Rule").values()
        if "Simulator" in rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]
    ]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    accepted = 0
    begun = time.monotonic()
    for minute in range(minutes):
        time.sleep(max(0.0, begun + minute * 60 / FASTER - time.monotonic()))
        accepted += function.invoke({"source": "aws.events", "detail-type": "Scheduled Event"})["succeeded"]
    return accepted


def test_after_ten_minutes_of_the_schedule_cache_and_table_agree(stage: Stage) -> None:
    """And nothing was given up; every function stays within the template's memory."""
    with replicating(stage, replicator_of(stage)) as mapping:
        assert simulate(stage, MINUTES) == MINUTES * 10
        mapping.drain()
    wrong, items = drift(stage)
    assert wrong == 0
    assert items > 0
    assert stage.destination.objects() == []
    for name in ("ReplicatorFunction", "Simulator"):
        function = stage.function(name)
        assert 0 < function.peak_memory_mb < function.properties["MemorySize"]


def test_with_faults_they_agree_again(stage: Stage) -> None:
    """Deliveries doubled, late, out of order and half applied; environments killed; a cache that hangs."""
    chaos = Chaos(replicator_of(stage), flush_scripts=lambda: _flush_scripts(stage), seed=7, share=0.6)
    killed = Counter[str]()
    done = threading.Event()

    def trouble() -> None:
        while not done.wait(0.7):
            killed["environments"] += stage.function("ReplicatorFunction").kill_idle()
            stage.cache.server.send_signal(signal.SIGSTOP)
            done.wait(0.3)
            stage.cache.server.send_signal(signal.SIGCONT)
            killed["pauses"] += 1

    with replicating(stage, chaos) as mapping:
        making = threading.Thread(target=trouble)
        making.start()
        try:
            simulate(stage, MINUTES)
        finally:
            done.set()
            making.join()
        mapping.drain()
    assert drift(stage)[0] == 0
    assert stage.destination.objects() == []
    assert sum(chaos.counts.values()) > 0
    assert killed["environments"] > 0
    assert killed["pauses"] > 0


def test_the_sample_on_schedule_finds_them_agreeing_and_sees_drift(stage: Stage) -> None:
    """As the template's own function, as a user who may not write; its metrics are a line of its log."""
    function = stage.function("VerifySample")
    found = function.invoke({"source": "aws.events"})
    assert (found["Drift"], found["ShareConsistent"]) == (0, 100.0)
    # Half a minute of looks is too long for a test: the one setting that is not the template's.
    with stage.cache.admin() as admin, function.with_variables(DDB_CACHE_SYNC_VERIFY_LOOKS="0.05,0.1") as hasty:
        key = next(key for key in admin.scan_iter("users:*"))
        kept = admin.get(key)
        admin.set(key, "wrong")
        try:
            found = hasty.invoke({"source": "aws.events"})
        finally:
            admin.set(key, kept or b"")
    assert found["Drift"] == 1
    metrics = [json.loads(line) for line in function.log().splitlines() if '"_aws"' in line]
    assert sorted(line["Drift"] for line in metrics) == [0, 1]
    assert {line["service"] for line in metrics} == {function.name}


def test_what_is_given_up_is_kept_with_its_records_and_redriven(stage: Stage) -> None:
    """While the applier's user is locked out every batch fails; the template would try for hours, here once more."""
    function = stage.function("ReplicatorFunction")
    user = function.properties["Environment"]["Variables"]["DDB_CACHE_SYNC_IAM_USER"]
    properties = dataclasses.replace(stage.mapping_properties(), maximum_retry_attempts=1)
    with stage.cache.admin() as admin, replicating(stage, replicator_of(stage), properties) as mapping:
        mapping.drain()
        admin.acl_setuser(user, enabled=False)
        function.kill_idle()  # they are logged in already
        simulate(stage, 1)
        mapping.drain()
        admin.execute_command("ACL", "SETUSER", user, "on")
    assert drift(stage)[0] > 0
    given_up = stage.destination.objects()
    assert given_up
    prefix = stage.template.statements("ReplicatorRole")["KeepWhatIsGivenUp"]["Resource"]["Fn::Join"][1][-1]
    assert all(fnmatch.fnmatch(f"/{key}", prefix) for key in given_up)
    redrive = stage.function("Redrive")
    shown = redrive.invoke({"dry_run": True})["given_up"]
    assert (shown["entries"], shown["failed"], shown["complete"]) == (len(given_up), 0, True)
    assert drift(stage)[0] > 0
    done = redrive.invoke({"delete": True})["given_up"]
    assert (done["applied"] + done["stale"], done["deleted"]) == (done["records"], len(given_up))
    assert drift(stage)[0] == 0
    assert stage.destination.objects() == []


def test_a_poison_record_is_set_aside_and_holds_up_nothing(stage: Stage) -> None:
    """It is in the bucket before Lambda is told that it is done with; redriven unmended, it stays there."""
    stream = {"eventSourceARN": stage.stream_arn, "eventSource": "aws:dynamodb", "eventName": "INSERT"}
    images: list[dict[str, Any]] = [{"id": {"S": "poison"}, "odd": {"X": "1"}}, {"id": {"S": "good"}}]
    # Young: of an old record the redrive would read the item from the table, and find none.
    body = {"ApproximateCreationDateTime": time.time()}
    records = [
        {
            **stream,
            "dynamodb": {**body, "Keys": {"id": each["id"]}, "NewImage": each, "SequenceNumber": f"{10**26 + n}"},
        }
        for n, each in enumerate(images)
    ]
    assert stage.function("ReplicatorFunction").invoke({"Records": records}) == {"batchItemFailures": []}
    with stage.cache.admin() as admin:
        assert admin.exists("users:good")
        assert not admin.exists("users:poison")
        admin.delete("users:good")
    assert [key.split("/")[0] for key in stage.destination.objects()] == ["quarantine"]
    report = stage.function("Redrive").invoke({"delete": True})["quarantine"]
    assert (report["entries"], report["failed"], report["deleted"]) == (1, 1, 0)


def test_a_reader_may_read_and_learn_the_nodes_and_no_more(stage: Stage) -> None:
    """With what clients of other languages send of themselves; its user can't write, nor read guards."""
    name = next(
        user["UserName"] for each, user in stage.template.of_type("ElastiCache::User").items() if "Reader" in each
    )
    url = f"rediss://{name}:any@127.0.0.1:{stage.cache.port}?ssl_ca_certs={stage.cache.authority}"
    with redis.RedisCluster.from_url(url) as cluster:
        assert cluster.get("users:nobody") is None
    with redis.Redis.from_url(url, protocol=2) as reader:
        for allowed in ("PING", "READONLY", "CLUSTER NODES", "CLUSTER SHARDS", "CLUSTER SLOTS"):
            assert reader.execute_command(*allowed.split())
        for refused in ("SET users:1 x", "DEL users:1", "GET ~v:{users:1}", "CONFIG GET *", "INFO"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                reader.execute_command(*refused.split())


def test_logs_hold_no_item_contents(stage: Stage) -> None:
    """The simulator writes names; no function's log has one."""
    logs = {name: function.log() for name, function in stage.functions.items() if function.log()}
    assert len(logs) >= 3
    for log in logs.values():
        assert not [name for name in NAMES if name in log]


def _flush_scripts(stage: Stage) -> None:
    with stage.cache.admin() as admin:
        admin.script_flush()
