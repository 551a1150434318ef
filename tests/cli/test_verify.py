"""verify, repair and inspect as a user calls them, on a DynamoDB and a Valkey server."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import orjson
import pytest

from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.sync.verify_html import verify_html
from ddb_cache_sync.sync.verify_report import Drifted, VerifyReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    from tests.cli.conftest import Cli, Result

SECRET = "swordfish-4711"
VERSION = "1745415436991:27:202328600001712385967261751"


@pytest.fixture
def call(
    cli: Cli,
    redis_client: redis.Redis,
    redis_url: str,
    dynamodb: EmbeddedDynamoDB,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[..., Result]:
    """Give a function that calls a command about a table of four items and a cache that has drifted three times."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DDB_CACHE_SYNC_REDIS_URL", redis_url)
    monkeypatch.setenv("DDB_CACHE_SYNC_KEY_TEMPLATE", "users:{id}")
    client, table = dynamodb.client(), f"cli-{abs(hash(request.node.name))}"
    create_demo_table(client, table)
    for number in range(4):
        client.put_item(TableName=table, Item={"id": {"S": str(number)}, "name": {"S": SECRET}})
        redis_client.set(f"users:{number}", b'{"id":"%d","name":"%s"}' % (number, SECRET.encode()))
        redis_client.set(guard_key(f"users:{number}"), VERSION, ex=90_000)
    redis_client.delete("users:1")
    redis_client.set("users:2", b"{}")
    redis_client.set("users:nobody", b"{}")

    def called(command: str, *arguments: str) -> Result:
        return cli(command, "--table", table, *arguments)

    return called


@pytest.mark.servers
def test_verify_finds_what_drifted_and_repair_puts_it_right(call: Callable[..., Result], tmp_path: Path) -> None:
    """By way of the report; a dry run first, and everything agrees in the end."""
    verified = call("verify", "--looks", "0.01,0.02", "--json")
    assert (verified.code, verified.err) == (3, "3 keys differ: looking again for 0.02 s\n")
    assert [(each["key"], each["kind"]) for each in verified.json["drifts"]] == [
        ("users:1", "missing"),
        ("users:2", "stale"),
        ("users:nobody", "orphaned"),
    ]
    report, audit = tmp_path / "report.json", tmp_path / "audit.jsonl"
    report.write_text(verified.out, encoding="utf-8")
    dry = call("repair", "--keys-from", str(report))
    assert (dry.code, [orjson.loads(line)["action"] for line in dry.out.splitlines()]) == (
        0,
        ["written", "written", "deleted"],
    )
    assert "Nothing was written" in dry.err
    assert call("verify", "--looks", "0.01").code == 3
    done = call("repair", "--keys-from", str(report), "--apply", "--audit", str(audit), "--json")
    assert (done.code, done.json["written"], done.json["deleted"]) == (0, 2, 1)
    lines = [orjson.loads(line) for line in audit.read_bytes().splitlines()]
    assert [(each["guard_before"], each["guard_after"]) for each in lines] == [(VERSION, f"{VERSION}:1")] * 2 + [
        ("", "")
    ]
    assert SECRET not in audit.read_text() + dry.out + verified.out
    shown = call("verify")
    assert (shown.code, shown.err) == (0, "")
    assert "consistent" in shown.out
    again = call("repair", "users:1", "--apply", "--json")
    assert (again.code, again.json["agrees"]) == (0, 1)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("command", "where", "said"),
    [
        (["verify"], "verify.say_looks", "the same command begins anew"),
        (["inspect", "users:1"], "inspect.look", "nothing was written"),
        (["repair", "users:1"], "repair.repair_keys", "nothing was written"),
        (["repair", "users:1", "--apply"], "repair.repair_keys", "not all is done: the same command does the rest"),
    ],
    ids=["verify", "inspect", "repair", "repair --apply"],
)
def test_a_stop_is_told(
    call: Callable[..., Result], command: list[str], where: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it leaves."""

    def stop(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(f"ddb_cache_sync.cli.{where}", stop)
    assert call(*command) == (143, "", f"stopped: {said}\n")


@pytest.mark.servers
def test_verify_shows_the_report_to_a_person(call: Callable[..., Result], tmp_path: Path) -> None:
    """And to a browser; keys can be hashed in both."""
    page = tmp_path / "report.html"
    plain = call("verify", "--looks", "0.01", "--html", str(page))
    assert plain.out.startswith("drift      60.0000% of 5 keys differ, 40.0000% are right\n")
    assert "\nwhere      3 under users:\n" in plain.out
    assert "missing users:1, last change applied 20" in plain.out
    assert "users:nobody" in page.read_text(encoding="utf-8")
    hashed = call("verify", "--looks", "0.01", "--hash-keys", "--html", str(page))
    assert "nobody" not in hashed.out + page.read_text(encoding="utf-8")
    assert "nobody" not in call("verify", "--looks", "0.01", "--hash-keys", "--json").out


@pytest.mark.servers
def test_verify_names_as_many_keys_as_it_is_told_to(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so where there are more, and where the guards are of a later stream than the setting's."""
    monkeypatch.setenv("DDB_CACHE_SYNC_STREAM_LABEL", "2025-04-23T13:37:16.990")
    named = call("verify", "--looks", "0.01", "--list", "1", "--json").json
    assert ([each["key"] for each in named["drifts"]], named["drift"]) == (["users:1"], 3)
    assert "1 of the 3 keys that drifted are named" in named["notes"][0]
    assert "1 of the keys named have the guard of a stream that was made after" in named["notes"][1]
    assert call("verify", "--looks", "0.01", "--json").json["notes"][0].startswith("2 of the keys named")
    monkeypatch.delenv("DDB_CACHE_SYNC_STREAM_LABEL")
    assert call("verify", "--looks", "0.01", "--json").json["notes"] == []


@pytest.mark.servers
def test_a_sample_says_how_sure_it_is(call: Callable[..., Result]) -> None:
    """Of the table's keys, and of the cache's; it can be a share."""
    shown = call("verify", "--looks", "0.01", "--sample", "100%", "--json")
    assert (shown.json["sampled"], shown.json["orphaned"], shown.json["cached_keys"]) == (True, 1, 4)
    assert 0 <= shown.json["interval"][0] < shown.json["interval"][1] <= 1
    assert "of a sample of the cache; of its keys, " in call("verify", "--looks", "0.01", "--sample", "9").out
    without = call("verify", "--looks", "0.01", "--sample", "9", "--no-orphans")
    assert "0 (not searched for)" in without.out


@pytest.mark.servers
def test_inspect_shows_both_sides_and_no_contents(call: Callable[..., Result]) -> None:
    """Unless it is asked for them."""
    shown = call("inspect", "users:0", "--json")
    [seen] = shown.json["keys"]
    assert (shown.code, seen["verdict"], seen["guard"]) == (0, "agree", VERSION)
    assert (seen["in_table"], seen["in_cache"], seen["sequence_number"]) == (True, True, VERSION.split(":")[2])
    assert 0 < seen["guard_expires_in_ms"] <= 90_000_000
    assert "made 2025-04-23 13:37:16Z" in call("inspect", "users:0").out
    assert SECRET not in shown.out + call("inspect", "users:0").out
    assert SECRET in call("inspect", "users:0", "--show-values").out
    assert SECRET in call("inspect", "--item", '{"id":"0"}', "--show-values", "--json").out


@pytest.mark.servers
@pytest.mark.parametrize(("key", "verdict"), [("1", "missing"), ("2", "stale"), ("nobody", "orphaned")])
def test_inspect_names_the_drift(call: Callable[..., Result], key: str, verdict: str) -> None:
    """With the exit code of drift, whichever way the key is given."""
    for arguments in ([f"users:{key}"], ["--item", '{"id":{"S":"' + key + '"}}']):
        shown = call("inspect", *arguments, "--json")
        assert (shown.code, shown.json["keys"][0]["verdict"]) == (3, verdict)


@pytest.mark.servers
def test_wrong_usage_is_told(call: Callable[..., Result], tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    for arguments, said in (
        (["verify", "--looks", "x"], "such as 1,5,30"),
        (["verify", "--looks", "5,1"], "rising order"),
        (["verify", "--looks", "0"], "not all above 0 seconds"),
        (["repair"], "--keys-from"),
        (["repair", "--keys-from", str(tmp_path / "none.json")], "verify --json"),
        (["repair", "--keys-from", str(tmp_path / "absent.json")], "can't read"),
        (["inspect"], "neither a cache key nor an item's primary key. Give KEY or --item."),
        (["inspect", "users:1", "--item", '{"id":"1"}'], "a cache key and an item's primary key. Give KEY or --item."),
        (["inspect", "other:1"], "Give the item's primary key"),
        (["inspect", "--item", "x"], "--item is not JSON"),
        (["inspect", "--item", '{"userid":"1"}'], "has userid, and the primary key of table cli-"),
        (["inspect", "--item", '{"userid":"1"}'], " is id (a string). Give exactly these attributes."),
        (["inspect", "--item", '{"id":"1","name":"x"}'], "has id, name, and the primary key of table cli-"),
        (["inspect", "--item", '{"id":1}'], "id of another type: the primary key of table cli-"),
        (["inspect", "--item", '{"id":1}'], ' is id (a string). Write a string as "42"'),
        (["inspect", "--item", '{"id":{"S":"1","N":"1"}}'], "id of another type"),
    ):
        result = call(*arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert said in " ".join(result.err.split()), arguments


def test_a_page_escapes_what_it_shows_and_loads_nothing() -> None:
    """Keys may hold anything."""
    bad = "<script>alert(1)</script>"
    report = VerifyReport(
        bad, keys=2, stale=1, drifts=(Drifted(bad, Drift.STALE, None, "", 1.0),), places={bad: 1}, notes=(bad,)
    )
    page = verify_html(report)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5
    assert "http" not in page.replace("http-equiv", "")
    assert "50.0000% consistent" in page
    assert "<p>1 of 1.</p>" not in page  # said only where something is cut off
