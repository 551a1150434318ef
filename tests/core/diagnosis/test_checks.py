from typing import NamedTuple

import pytest
from tests.core.diagnosis.healthy import (
    FACTS,
    MAPPING,
    NODE,
    with_cache,
    with_mapping,
    with_node,
    with_table,
    with_versions,
)

from ddb_cache_sync import Change, EntityRouter, Expiry, KeyTemplate, LookupKey, Projection, Route
from ddb_cache_sync.core import outages
from ddb_cache_sync.core.diagnosis import CHECKS, Facts, Finding, Level, findings
from ddb_cache_sync.core.diagnosis.facts import Rehearsal
from ddb_cache_sync.core.diagnosis.findings import Unknown, span
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.speedups import Use

LOSES, WARNS, NOTES, CANNOT = Level.LOSES_DATA, Level.WARNING, Level.NOTE, Level.CANNOT_TELL
OK = Level.OK
PLAIN = Projection(KeyTemplate("users:{id}"))
DENIED = Unknown("x:Describe: AccessDenied", "Allow x:Describe.")


class Case(NamedTuple):
    """A pipeline with one thing that is otherwise, and what its check should say."""

    check: str
    level: Level
    says: str
    facts: Facts = FACTS
    projection: Projection = PLAIN
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS


CASES = [
    Case("table", LOSES, "no such table in eu-west-1", FACTS._replace(table=None)),
    Case("table", CANNOT, "AccessDenied", FACTS._replace(table=DENIED)),
    Case("stream", LOSES, "no stream", with_table(stream_arn=None, view_type=None)),
    Case("stream", LOSES, "disabled", with_table(view_type=None)),
    Case("view-type", LOSES, "mode replicate needs new images", with_table(view_type="KEYS_ONLY")),
    Case("view-type", LOSES, "mode replicate needs new images", with_table(view_type="OLD_IMAGE")),
    Case("view-type", OK, "KEYS_ONLY", with_table(view_type="KEYS_ONLY"), Projection(mode="invalidate")),
    Case(
        "view-type",
        LOSES,
        "lookup keys need NEW_AND_OLD_IMAGES",
        projection=Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-email:{email}")]),
    ),
    Case("key-template", LOSES, "leaves out day", with_table(key_types={"id": "S", "day": "N"})),
    Case(
        "key-template",
        OK,
        "users:10",
        with_table(key_types={"id": "N"})._replace(),
        Projection(KeyTemplate("users:1{id}")),
    ),
    Case("key-template", OK, "id, day", with_table(key_types={"id": "B", "day": "N"}), Projection()),
    Case("time-to-live", OK, "by ttl in both", with_table(ttl_attribute="ttl"), Projection(expiry=Expiry("ttl"))),
    Case("time-to-live", NOTES, "can take days", with_table(ttl_attribute="ttl")),
    Case("time-to-live", WARNS, "has no time to live", projection=Projection(expiry=Expiry("ttl"))),
    Case(
        "time-to-live", WARNS, "removes items by end", with_table(ttl_attribute="end"), Projection(expiry=Expiry("ttl"))
    ),
    Case("time-to-live", CANNOT, "AccessDenied", with_table(ttl_attribute=DENIED)),
    Case("table-clock", NOTES, "6.0 s ahead of", with_table(clock_ahead_seconds=-6.0)),
    Case("table-clock", WARNS, "90.0 s behind", with_table(clock_ahead_seconds=90.0)),
    Case("mapping", LOSES, "no such event source mapping", FACTS._replace(mappings=())),
    Case("mapping", CANNOT, "AccessDenied", FACTS._replace(mappings=DENIED)),
    Case("mapping", NOTES, "3 event source mappings", FACTS._replace(mappings=(MAPPING,) * 3)),
    Case("mapping-source", LOSES, "older stream", with_mapping(stream_arn="arn:older")),
    Case("mapping-source", CANNOT, "not known", with_table(stream_arn=None)),
    Case("mapping-state", LOSES, "Disabled", with_mapping(state="Disabled")),
    Case("report-failures", LOSES, "ignores", with_mapping(response_types=())),
    Case("on-failure", LOSES, "given up is lost", with_mapping(destination=None)),
    Case("on-failure", WARNS, "leaves the stream", with_mapping(destination=None, retries=-1, record_age_seconds=-1)),
    Case("on-failure", NOTES, "SQS", with_mapping(destination="arn:aws:sqs:eu-west-1:1:dead")),
    Case("on-failure", NOTES, "SNS", with_mapping(destination="arn:aws:sns:eu-west-1:1:dead")),
    Case("destination-retention", WARNS, "14 days", with_mapping(destination_seconds=14 * 86_400)),
    Case("destination-retention", OK, "24 h", with_mapping(destination_seconds=86_400)),
    Case("destination-retention", LOSES, "does not exist", with_mapping(destination_seconds=0)),
    Case("destination-retention", CANNOT, "AccessDenied", with_mapping(destination_seconds=DENIED)),
    Case("retries", WARNS, "2: an outage of 87 s gives", with_mapping(retries=2)),
    Case("retries", WARNS, "123: an outage of 59.9 min", with_mapping(retries=outages.FEW_RETRIES - 1)),
    Case("retries", OK, "124", with_mapping(retries=outages.FEW_RETRIES)),
    *(
        Case(check, OK, says, with_mapping(retries=number, record_age_seconds=outages.RECORD_AGE_SECONDS))
        for number in (outages.RETRIES, outages.RETRIES_WITH_QUARANTINE)
        for check, says in (("retries", "1000" if number > 0 else "bounded"), ("record-age", "12 h"))
    ),
    Case("retries", WARNS, "without end", with_mapping(retries=-1, record_age_seconds=-1)),
    Case("retries", OK, "bounded by the maximum age", with_mapping(retries=-1)),
    Case("record-age", WARNS, "given up after 60 s", with_mapping(record_age_seconds=60)),
    Case("record-age", NOTES, "without telling anybody", with_mapping(record_age_seconds=604_800)),
    Case("record-age", OK, "as long as", with_mapping(record_age_seconds=-1)),
    Case("bisect", WARNS, "off", with_mapping(bisects=False)),
    Case("batch-size", NOTES, "1: ", with_mapping(batch_size=1)),
    Case("starting-position", WARNS, "LATEST", with_mapping(starting_position="LATEST")),
    Case("parallelization", NOTES, "behind", with_mapping(iterator_age_seconds=61.0)),
    Case("parallelization", OK, "10", with_mapping(iterator_age_seconds=61.0, parallelization=10)),
    Case("last-result", WARNS, "PROBLEM", with_mapping(last_result="PROBLEM: Function call failed.")),
    Case("filters", LOSES, "removals", with_mapping(filters=('{"eventName": ["INSERT", "MODIFY"]}',))),
    Case("iterator-age", NOTES, "2 min", with_mapping(iterator_age_seconds=120.0)),
    Case("iterator-age", WARNS, "2 h", with_mapping(iterator_age_seconds=7200.0)),
    Case("iterator-age", LOSES, "the stream drops", with_mapping(iterator_age_seconds=23 * 3600.0)),
    Case("iterator-age", OK, "no invocation", with_mapping(iterator_age_seconds=None)),
    Case("iterator-age", CANNOT, "AccessDenied", with_mapping(iterator_age_seconds=DENIED)),
    Case("guard-ttl", LOSES, "counts as new", guard_ttl_seconds=86_400),
    Case("cache", LOSES, "refuses us (WRONGPASS)", with_cache(failure="WRONGPASS", refused=True)),
    Case("cache", LOSES, "from here (TimeoutError)", with_cache(failure="TimeoutError")),
    Case("tls", WARNS, "AWS's network", with_cache(tls=False, aws=True)),
    Case("tls", NOTES, "plain text", with_cache(tls=False)),
    Case("tls", WARNS, "certificate is not checked", with_cache(unchecked="certificate", host="localhost")),
    Case("tls", WARNS, "host name is not checked", with_cache(unchecked="host name")),
    Case("tls", OK, "this machine", with_cache(tls=False, host="127.0.0.1")),
    Case("tls", OK, "this machine", with_cache(tls=False, host=None)),
    Case("guarded-write", LOSES, "run set, del", with_cache(rehearsal=Rehearsal("NOPERM", ("set", "del")))),
    Case(
        "guarded-write",
        LOSES,
        "touch the key or its guard, nor run del",
        with_cache(rehearsal=Rehearsal("NOPERM", ("del",), keys_refused=True)),
    ),
    Case("cluster-client", LOSES, "not a cluster client", with_node(cluster=True)),
    Case("cluster-client", OK, "for a cluster", with_cache(cluster_client=True, nodes=DENIED)),
    Case("cluster-client", CANNOT, "whether it is a cluster's", with_node(cluster=None)),
    Case("cluster-client", CANNOT, "AccessDenied", with_cache(nodes=DENIED)),
    Case("guarded-write", LOSES, "OOM", with_cache(rehearsal=Rehearsal("kept failing (OOM)"))),
    Case("guarded-write", CANNOT, "AccessDenied", with_cache(rehearsal=DENIED)),
    Case("cache-clock", NOTES, "10.0 s behind that of the cache", with_cache(clock_ahead_seconds=10.0)),
    Case("cache-clock", CANNOT, "AccessDenied", with_cache(clock_ahead_seconds=DENIED)),
    Case("server-version", LOSES, "redis 6.0.16", with_node(server="redis", version="6.0.16")),
    Case("server-version", OK, "redis 6.2.0", with_node(server="redis", version="6.2.0")),
    Case("server-version", OK, "redis 10.0", with_node(server="redis", version="10.0")),
    Case("server-version", CANNOT, "version", with_node(version="")),
    Case("eviction-policy", WARNS, "throws values out", with_node(policy="allkeys-lru")),
    Case("eviction-policy", OK, "refuses writes", with_node(policy="noeviction")),
    Case("eviction-policy", CANNOT, "policy", with_node(policy=None)),
    Case("memory", WARNS, "85%", with_node(used_bytes=85 * 2**20)),
    Case("memory", OK, "no limit", with_node(limit_bytes=0)),
    Case("memory", CANNOT, "full", with_node(limit_bytes=None)),
    Case("evicted-keys", LOSES, "7 since", with_node(evicted=7)),
    Case("evicted-keys", CANNOT, "evicted", with_node(evicted=None)),
    Case("evicted-keys", CANNOT, "AccessDenied", with_cache(nodes=DENIED)),
    Case("python", WARNS, "3.10.2", with_versions(python="3.10.2")),
    Case("redis-py", WARNS, "5.0.1", with_versions(redis="5.0.1")),
    Case("redis-py", WARNS, "9.0.0", with_versions(redis="9.0.0")),
    Case("hiredis", NOTES, "takes longer", with_versions(hiredis="")),
    Case("speedups", OK, "is not installed", with_versions(compiled=Use.NOT_INSTALLED)),
    Case("speedups", NOTES, "installed and not used", with_versions(compiled=Use.UNFIT)),
    Case("botocore", WARNS, "not installed", with_versions(botocore="")),
]


def found(case: Case) -> list[Finding]:
    return findings(case.facts, case.projection, case.guard_ttl_seconds)


def test_a_healthy_pipeline_has_no_findings() -> None:
    """Every check speaks, and says that all is well."""
    said = findings(FACTS, PLAIN, DEFAULT_GUARD_TTL_SECONDS)
    assert [finding for finding in said if finding.level is not OK or finding.mend] == []
    assert sorted(finding.check for finding in said) == sorted(CHECKS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check} {case.level}: {case.says}")
def test_each_check_says_what_is_wrong_and_how_to_mend_it(case: Case) -> None:
    """And says nothing more than that where all is well."""
    said = next(finding for finding in found(case) if finding.check == case.check)
    assert said.level is case.level
    assert case.says in said.what
    assert said.mend.endswith(".") == (case.level is not OK)
    assert not said.what.endswith((".", "?"))  # the two are shown one after the other, with a full stop between


def test_tls_is_thought_of_where_the_cache_can_not_be_reached() -> None:
    """On the wrong side it looks like any other broken connection."""
    said = findings(with_cache(failure="ConnectionResetError"), PLAIN, DEFAULT_GUARD_TTL_SECONDS)[0]
    assert (said.check, "rediss://" in said.mend) == ("cache", True)


def test_what_a_failed_write_advises_is_passed_on() -> None:
    """Where the error knows; a look at the cache's health helps a cache that is not well."""
    for hint, shown in (("Give another client.", "Give another client."), (None, "health and memory")):
        facts = with_cache(rehearsal=Rehearsal("failed", hint=hint))
        [said] = [each for each in found(Case("guarded-write", LOSES, "", facts)) if each.check == "guarded-write"]
        assert shown in said.mend


def test_each_check_is_tested_with_something_bad() -> None:
    """None is left out above."""
    assert {case.check for case in CASES if case.level is not OK} == set(CHECKS)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.level is not OK and case.check not in ("view-type", "on-failure")],
    ids=lambda case: f"{case.check} {case.says}",
)
def test_the_worst_comes_first(case: Case) -> None:
    """Levels go down the list, whatever was checked first."""
    levels = [[*Level].index(finding.level) for finding in found(case)]
    assert levels == sorted(levels)


def test_what_can_not_be_looked_at_is_one_finding_and_not_many() -> None:
    """The checks of a table that is not there say nothing."""
    said = findings(with_cache(failure="ConnectionError")._replace(table=None), PLAIN, DEFAULT_GUARD_TTL_SECONDS)
    lost = [finding.check for finding in said if finding.level is LOSES]
    assert lost == ["table", "cache"]
    assert not {"stream", "view-type", "tls", "memory"} & {finding.check for finding in said}


ROUTED = EntityRouter(
    [
        Route(Projection(KeyTemplate("profile:{id}")), table="users", key={"id": "USER#*"}),
        Route(Projection(KeyTemplate("other:{number}")), table="others"),
        Route(Projection(KeyTemplate("order:{number}"))),
    ]
)


def test_each_route_of_the_table_is_looked_at() -> None:
    """What is wrong with one of them names it; what all have in common is said once."""
    said = findings(FACTS, ROUTED, DEFAULT_GUARD_TTL_SECONDS)
    assert [(each.about, each.level) for each in said if each.check == "key-template"] == [
        ("table users, routes[2]", LOSES),
        ("table users, routes[0]", OK),
    ]
    assert [each.about for each in said if each.check == "view-type"] == ["table users"]


def test_a_table_that_no_route_takes_loses_data() -> None:
    """All of its records are poison records."""
    router = EntityRouter([Route(Projection(), table="others")])
    said = findings(FACTS, router, DEFAULT_GUARD_TTL_SECONDS)[0]
    assert (said.check, said.level, said.what) == ("key-template", LOSES, "no route takes its items")


class OwnRouter:
    """Tells nothing of what it does."""

    needs_old_images = False

    def routed(self, change: Change) -> tuple[tuple[Projection, Change]]:
        """To the one projection that it has."""
        return ((PLAIN, change),)


def test_a_router_of_ones_own_can_not_be_told_of() -> None:
    """Who wrote it knows its projections."""
    said = findings(FACTS, OwnRouter(), DEFAULT_GUARD_TTL_SECONDS)
    assert [(each.check, each.level) for each in said if each.level is not OK] == [("key-template", CANNOT)]


def test_nodes_of_a_cluster_are_told_apart() -> None:
    """By the name that the cluster gives them."""
    nodes = (NODE._replace(name="10.0.0.1:6379"), NODE._replace(name="10.0.0.2:6379", evicted=1))
    said = findings(with_cache(nodes=nodes), PLAIN, DEFAULT_GUARD_TTL_SECONDS)
    assert (said[0].about, said[0].check) == ("node 10.0.0.2:6379", "evicted-keys")


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 s"), (90, "90 s"), (600, "10 min"), (90_000, "25 h"), (345_600, "4 days")]
)
def test_a_length_of_time_is_short_to_read(seconds: float, text: str) -> None:
    """In the largest unit of which there are two."""
    assert span(seconds) == text
