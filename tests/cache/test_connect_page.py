"""What docs/how-to/connect.md says is so; what each row means is tested under tests/faults and tests/cluster."""

import re
from pathlib import Path

import pytest
import redis
from redis.exceptions import ResponseError
from tests.docs.markdown import ROOT, marked, rows

from ddb_cache_sync import connect
from ddb_cache_sync.cache.connect import CONNECT_SECONDS, SOCKET_SECONDS
from ddb_cache_sync.cache.replies import _BY_CODE, Fault, fault_of
from ddb_cache_sync.cache.topology import LazyCluster

PAGE: Path = ROOT / "docs" / "how-to" / "connect.md"

MEANINGS = {
    "the script is loaded": {Fault.SCRIPT_MISSING},
    "sent to the node": {Fault.MOVED, Fault.ASK},
    "sent again after a wait and after learning": {Fault.TOPOLOGY},
    "sent again after a wait": {Fault.TRANSIENT},
    "`CacheError` at once": {Fault.REFUSED},
    "that record fails": {Fault.COMMAND},
}


@pytest.mark.parametrize("row", [row for row in rows(PAGE, "code") if "`" in row[0]], ids=lambda row: row[0])
def test_each_code_is_taken_for_what_the_page_says(row: list[str]) -> None:
    """The table of replies."""
    meaning = next(faults for text, faults in MEANINGS.items() if row[1].startswith(text))
    for code in re.findall(r"`([A-Z]+)`", row[0]):
        assert fault_of(ResponseError(f"{code} and so on")) in meaning, code


def test_the_page_leaves_no_code_out() -> None:
    """Every code that is told apart is in the table; three have no name of the server's."""
    named = {code for row in rows(PAGE, "code") for code in re.findall(r"`([A-Z]+)`", row[0])}
    assert set(_BY_CODE) - named == {"CROSSSLOT", "CERTIFICATE", "NOCLUSTER", "HANDSHAKE"}


@pytest.mark.parametrize("row", rows(PAGE, "URL"), ids=lambda row: row[0])
def test_each_url_gives_the_client_that_the_page_says(row: list[str]) -> None:
    """A cluster's or one server's."""
    client = connect(row[0].strip("`"))
    assert isinstance(client, LazyCluster) == ("cluster" in row[1])
    assert isinstance(client, redis.Redis | LazyCluster)


def test_the_time_outs_are_those_of_the_page() -> None:
    """In seconds."""
    assert [float(row[1]) for row in rows(PAGE, "wait")] == [CONNECT_SECONDS, SOCKET_SECONDS]


def test_the_code_of_the_page_runs() -> None:
    """Up to the first connection, which it does not make."""
    names: dict[str, object] = {}
    exec(marked(PAGE, "run: connect to nothing yet"), names)
    assert isinstance(names["by_iam"], LazyCluster)
    assert isinstance(names["by_secret"], LazyCluster)
