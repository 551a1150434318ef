"""TLS: what is trusted, what is refused, on one server and on a cluster of one node, with ElastiCache's limits.

These need the programs `redis-server` (with TLS, as Debian builds it; the embedded one has none) and `openssl`.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.cache.debian import needs_redis_server, redis_server
from tests.cache.support import getter, held, writes
from tests.cluster.support import ask

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.examination import examine_cache
from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.diagnosis.findings import Unknown
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable, ConfigurationError
from ddb_cache_sync.local.servers import free_port, temporary_folder

pytestmark = [pytest.mark.servers, needs_redis_server]

# What ElastiCache leaves a user with: no CONFIG, no CLIENT LIST, no KEYS, and CLUSTER only to learn the slots.
ELASTICACHE_USER = (
    "user app on >secret ~* +@all -@admin -@dangerous +info +cluster|slots +cluster|shards +cluster|nodes"
)


class TlsServer(NamedTuple):
    """A server that speaks TLS only. Its certificate is for localhost and 127.0.0.1; it is at 127.0.0.2 too."""

    port: int
    ca: Path
    other_ca: Path

    def url(self, host: str = "127.0.0.1", ca: Path | None = None, options: str = "") -> str:
        """The URL of the user that ElastiCache would have."""
        return f"rediss://app:secret@{host}:{self.port}?ssl_ca_certs={ca or self.ca}{options}"


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """Give a folder with an authority, another one, and a server's certificate from the first."""
    with temporary_folder("certificates") as folder:
        for name in ("ca", "other-ca"):
            files = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
            usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 insists on it
            openssl(
                "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", f"/CN={name}", *usage, *files
            )
        openssl(
            *("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", "authorityKeyIdentifier=keyid"),
            *("-keyout", folder / "server.key", "-out", folder / "server.pem"),
        )
        yield folder


@contextlib.contextmanager
def tls_server(certificates: Path, *directives: str) -> Iterator[TlsServer]:
    lines = [
        *("bind 127.0.0.1 127.0.0.2", "port 0", "tls-port {port}"),
        f'tls-cert-file "{certificates}/server.pem"',
        f'tls-key-file "{certificates}/server.key"',
        f'tls-ca-cert-file "{certificates}/ca.pem"',
        *("tls-auth-clients no", "tls-replication yes", "tls-cluster yes", ELASTICACHE_USER, *directives),
    ]
    with redis_server(*lines) as port:
        yield TlsServer(port, certificates / "ca.pem", certificates / "other-ca.pem")


def admin_of(server: TlsServer) -> redis.Redis:
    """A client of the default user, for what ElastiCache does by itself."""
    return redis.Redis.from_url(
        f"rediss://localhost:{server.port}?ssl_ca_certs={server.ca}", protocol=2, retry=Retry(NoBackoff(), 0)
    )


@pytest.fixture(scope="module")
def one(certificates: Path) -> Iterator[TlsServer]:
    with tls_server(certificates) as server:
        yield server


@pytest.fixture(scope="module")
def clustered(certificates: Path) -> Iterator[TlsServer]:
    """Give a cluster of one node that owns every slot, as ElastiCache Serverless is."""
    with tls_server(certificates, "cluster-enabled yes", f"cluster-port {free_port()}") as server:
        with admin_of(server) as admin:
            ask(admin, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 10
            while b"cluster_state:ok" not in ask(admin, "CLUSTER", "INFO"):
                assert time.monotonic() < deadline
        yield server


@pytest.fixture(params=["one", "clustered"])
def server_and_options(request: pytest.FixtureRequest) -> tuple[TlsServer, str]:
    server: TlsServer = request.getfixturevalue(request.param)
    with admin_of(server) as admin:
        admin.flushall()
    return server, "&cluster=true" if request.param == "clustered" else ""


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(server_and_options: tuple[TlsServer, str]) -> None:
    """With many writes, more than one TLS record and one reading of a socket hold, and a user with limits."""
    server, options = server_and_options
    sent = [each._replace(value=b"x" * 5000) for each in writes(1000)]
    with connect(server.url(options=options)) as client, admin_of(server) as admin:
        assert cache_of(client, 60).apply(sent) == [Outcome.APPLIED] * 1000
        assert cache_of(client, 60).apply(sent[:10]) == [Outcome.APPLIED] * 10
        assert held(getter(admin), sent[::50])


@pytest.mark.parametrize("wrong", ["authority", "host name", "no authority"])
def test_a_certificate_that_is_not_trusted_is_refused_at_once(
    server_and_options: tuple[TlsServer, str], wrong: str
) -> None:
    """Trying again would not help; the hint says what would."""
    server, options = server_and_options
    url = {
        "authority": server.url(ca=server.other_ca, options=options),
        "host name": server.url("127.0.0.2", options=options),
        "no authority": server.url(options=options).replace(f"ssl_ca_certs={server.ca}", ""),
    }[wrong]
    began = time.monotonic()
    with connect(url) as client, pytest.raises(CacheError, match="CERTIFICATE") as raised:
        cache_of(client, 60).apply(writes(3))
    assert not isinstance(raised.value, CacheUnavailable)
    assert time.monotonic() - began < 5  # ten seconds if it were tried again
    assert raised.value.hint is not None
    assert "ssl_ca_certs" in raised.value.hint


@pytest.mark.parametrize(
    ("unchecked", "switch"),
    [
        (None, ""),
        ("certificate", "&ssl_check_hostname=false&ssl_cert_reqs=none"),
        ("host name", "&ssl_check_hostname=false"),
    ],
)
def test_the_doctor_sees_what_is_not_checked(
    server_and_options: tuple[TlsServer, str], unchecked: str | None, switch: str
) -> None:
    """Who switched it off for a test is told before somebody else makes use of it; connecting says nothing."""
    server, options = server_and_options
    if options and unchecked and redis.__version__.startswith("5."):
        pytest.skip("the cluster client of redis-py 5.3 checks all the same")
    host = "127.0.0.1" if unchecked is None else "127.0.0.2"
    ca = server.other_ca if unchecked == "certificate" else server.ca
    with connect(server.url(host, ca, switch + options)) as client:
        facts = examine_cache(client, Unknown("nothing is written", ""))
    assert (facts.failure, facts.tls, facts.unchecked) == (None, True, unchecked)


def test_a_server_without_tls_is_not_talked_to_in_plaintext(redis_url: str) -> None:
    """And nothing hangs; the hint thinks of it."""
    began = time.monotonic()
    with (
        connect(redis_url.replace("redis:", "rediss:")) as client,
        pytest.raises(CacheUnavailable, match=r"TLS \(rediss://\)"),
    ):
        cache_of(client, 60).apply(writes(3), began + 0.5)
    assert time.monotonic() - began < 4


def test_a_client_without_tls_gets_nowhere_on_a_server_with_it(server_and_options: tuple[TlsServer, str]) -> None:
    """And nothing hangs; the hint thinks of it."""
    server, options = server_and_options
    began = time.monotonic()
    url = server.url(options=options).replace("rediss:", "redis:").replace(f"ssl_ca_certs={server.ca}&", "")
    url = url.replace(f"?ssl_ca_certs={server.ca}", "")
    with connect(url) as client:
        with pytest.raises(CacheUnavailable, match=r"TLS \(rediss://\)"):
            cache_of(client, 60).apply(writes(3), began + 0.5)
        with pytest.raises(CacheUnavailable, match=r"TLS \(rediss://\)"):
            list(inspectable_cache_of(client).keys_beginning("users:"))
    assert time.monotonic() - began < 4


def test_scripts_may_not_cross_slots(clustered: TlsServer) -> None:
    """Even though one node owns them all; the applier never tries."""
    with admin_of(clustered) as admin, pytest.raises(redis.ResponseError, match=r"CROSSSLOT|same slot"):
        ask(admin, "EVAL", "return 1", 2, "a", "b")


def test_a_missing_authority_file_is_a_matter_of_configuration() -> None:
    """Said when the client is made, not as a cache that can't be reached."""
    with pytest.raises(ConfigurationError, match="ssl_ca_certs"):
        connect("rediss://localhost?ssl_ca_certs=/no/such/ca.pem")
