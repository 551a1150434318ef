"""The pages on reading and on expiry say what is so, and their code runs."""

import inspect
import re
import time
from typing import Any, get_args

import boto3
import pytest
import redis
from tests.cache.support import closing_connections
from tests.docs.markdown import ROOT, code_span, marked, rows

from ddb_cache_sync import CacheReader, Expiry, Image
from ddb_cache_sync.cache.scripts import __file__ as scripts
from ddb_cache_sync.core.projection import Mode
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.testing import stream_record

READING = ROOT / "docs" / "how-to" / "read-the-cache.md"
EXPIRY = ROOT / "docs" / "how-to" / "expiry.md"
URL = "rediss://my-cache.example.com:6379"


def run(code: str, url: str) -> dict[str, Any]:
    """The names that a block makes, with the URL of a cache that exists."""
    assert code.count(URL) == 1
    names: dict[str, Any] = {}
    exec(compile(code.replace(URL, url), "page", "exec"), names)
    return names


@pytest.mark.servers
def test_the_readers_code_runs(
    redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills what it misses."""
    client = dynamodb.client()
    create_demo_table(client, "users")
    client.put_item(TableName="users", Item={"id": {"S": "42"}})
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    try:
        with closing_connections(monkeypatch):
            names = run(marked(READING, "run: with a table and a cache"), redis_url)
    finally:
        client.delete_table(TableName="users")
    assert names["user"] == {"id": "42"}
    assert names["users"] == [{"id": "42"}, None]
    assert redis_client.keys() == [b"users:42"]


def test_the_modes_are_those_of_the_code() -> None:
    """In its order."""
    assert [code_span(mode) for mode, *_ in rows(READING, "mode")] == list(get_args(Mode))


def test_the_reference_names_what_the_reader_takes() -> None:
    """Options of the projection aside."""
    page = ROOT / "docs" / "reference.md"
    parameters = inspect.signature(CacheReader).parameters
    assert [code_span(row[0]) for row in rows(page, "`CacheReader`")] == [
        name for name, each in parameters.items() if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    methods = [code_span(row[0]).partition("(")[0] for row in rows(page, "method of `CacheReader`")]
    assert methods == [name for name in vars(CacheReader) if not name.startswith("_")]
    defaults = {code_span(row[0]): row[2].rpartition(": ")[2] for row in rows(page, "`CacheReader`")}
    for name in ("lease_seconds", "cache_seconds"):
        assert float(defaults[name]) == parameters[name].default


def test_the_scripts_that_the_page_names_are_there() -> None:
    """For readers in other languages."""
    text = READING.read_text(encoding="utf-8")
    for name in re.findall(r"`(\w+\.lua)`", text):
        assert (ROOT / scripts).with_name(name).is_file()


@pytest.mark.servers
def test_the_expirys_code_runs(redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session expires with its item."""
    item = {"id": "1", "expires_at": int(time.time()) + 60}
    with closing_connections(monkeypatch):
        replicator = run(marked(EXPIRY, "run: with an event"), redis_url)["replicator"]
        replicator.apply([stream_record({"id": "1"}, item, sequence_number=1, table="sessions")])
    assert 0 < redis_client.ttl("sessions:1") <= 60


@pytest.mark.parametrize(
    ("row", "value"), [(0, {"S": "soon"}), (1, {"N": "1800000000000"}), (2, {"N": "1000000000"})], ids=str
)
def test_the_notices_are_those_of_the_code(row: int, value: Any) -> None:
    """As the page has them."""
    expires = Expiry("expires_at").of(Image({"expires_at": value}), "k", "v", 1_800_000_000.0)
    assert expires.notice == code_span(rows(EXPIRY, "the attribute holds")[row][1])
