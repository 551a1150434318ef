"""What `connect` makes of a URL."""

import socket
from typing import Any

import pytest
import redis

from ddb_cache_sync import connect
from ddb_cache_sync.cache.topology import LazyCluster, topology_of
from ddb_cache_sync.errors import ConfigurationError

AWS = "my-cache-vcxyz2.serverless.euw1.cache.amazonaws.com"


def arguments(url: str, **options: Any) -> dict[str, object]:
    """What redis-py is given for each connection."""
    client = connect(url, **options)
    assert isinstance(client, redis.Redis)
    return dict(client.connection_pool.connection_kwargs)


def test_tls_checks_certificate_and_host_name() -> None:
    """By default, with nothing said."""
    given = arguments("rediss://h:6380/2")
    assert (given["host"], given["port"], given["db"]) == ("h", 6380, 2)
    assert (given["ssl_cert_reqs"], given["ssl_check_hostname"]) == ("required", True)


@pytest.mark.parametrize("host", [AWS, "master.g.vcxyz2.euw1.cache.amazonaws.com", "x.AMAZONAWS.com.cn"])
def test_plaintext_to_an_aws_host_is_refused_unless_asked_for(host: str) -> None:
    """The hint names the setting, and the URL with its password is not repeated."""
    with pytest.raises(ConfigurationError, match="ALLOW_PLAINTEXT") as raised:
        connect(f"redis://app:s3cret@{host}:6379")
    assert "s3cret" not in str(raised.value)
    assert topology_of(connect(f"redis://{host}:6379", allow_plaintext=True)) is not None


@pytest.mark.parametrize(
    ("url", "clustered"),
    [
        (f"rediss://{AWS}:6379", True),
        ("rediss://clustercfg.g.vcxyz2.euw1.cache.amazonaws.com", True),
        ("rediss://clustercfg.g.vcxyz2.memorydb.eu-west-1.amazonaws.com", True),
        ("rediss://master.g.vcxyz2.euw1.cache.amazonaws.com", False),
        ("redis://clustercfg.example.com", False),
        ("redis://localhost?cluster=true", True),
        ("redis://localhost?cluster=false", False),
        ("redis://localhost", False),
        ("unix:///tmp/valkey.sock", False),
    ],
)
def test_a_cluster_is_known_by_its_host_or_by_the_url(url: str, clustered: bool) -> None:
    """Nothing is connected to find out."""
    assert isinstance(connect(url), LazyCluster) == clustered


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://h",
        "redis://",
        "redis://h:port",
        "redis://[",
        "redis://h?cluster=yes",
        "redis://h?a=\udcff",
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    """When the client is made."""
    with pytest.raises(ConfigurationError):
        connect(url)


@pytest.mark.parametrize("url", ["redis://user:SECRET@h", "redis://:SECRET@h?cluster=true", "rediss://user@h"])
def test_a_user_in_the_url_beside_credentials_is_refused(url: str) -> None:
    """One of the two would be ignored; on a cluster it would show at the first batch only."""
    credentials = redis.UsernamePasswordCredentialProvider("user", "SECRET")
    with pytest.raises(ConfigurationError, match="beside it") as raised:
        connect(url, credentials=credentials)
    assert "SECRET" not in str(raised.value)


def test_an_option_that_redis_py_does_not_take_is_refused() -> None:
    """So that a typing mistake does not go unnoticed until the first connection."""
    with pytest.raises(ConfigurationError, match="option"):
        connect("redis://h?socket_timeout=soon")


def test_waits_are_bounded_and_may_be_set() -> None:
    """By option or in the URL."""
    assert arguments("redis://h")["socket_timeout"] == 2
    assert arguments("redis://h", socket_timeout=5)["socket_timeout"] == 5
    assert arguments("redis://h?socket_connect_timeout=3")["socket_connect_timeout"] == 3


def test_making_a_client_connects_to_nothing() -> None:
    """So a function's module can be imported where there is no cache."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for options in ("", "?cluster=true"):
            connect(f"redis://127.0.0.1:{server.getsockname()[1]}{options}").close()
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_socket_of_this_machine_is_named_by_its_path() -> None:
    """With the options that redis-py knows."""
    given = arguments("unix:///run/valkey.sock?db=1")
    assert (given["path"], given["db"]) == ("/run/valkey.sock", 1)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://h?bogus=1", True),
        ("unix:///tmp/valkey.sock?bogus=1", True),
        ("redis://user:123?bogus=1@h", False),
        ("redis://user:123?bogus=1#2@h", False),
    ],
)
def test_an_option_that_is_refused_is_named_unless_it_may_be_a_piece_of_a_password(url: str, named: bool) -> None:
    """A password with a `?` in it that nobody has escaped is cut there, and what follows looks like options."""
    with pytest.raises(ConfigurationError) as raised:
        connect(url)
    assert str(raised.value).startswith("redis-py refuses the option " if named else "redis-py refuses the ")
    assert ("bogus" in str(raised.value)) is named


def test_an_option_of_the_client_that_is_refused_is_named() -> None:
    """Its value is not."""
    with pytest.raises(ConfigurationError, match=r"redis-py refuses the option bogus .* \(TypeError\)$"):
        connect("redis://h", bogus="s3cret")
    with pytest.raises(ConfigurationError, match="the option socket_timeout "):
        connect("redis://h?socket_timeout=soon")
