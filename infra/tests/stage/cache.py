"""The template's cache on this machine.

Debian's redis-server with TLS, one node that owns every slot as a serverless cache is, and the users with the
template's access strings.

A user of the template logs in by IAM. Here it takes any password, so a token that is signed as for AWS will do.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from ddb_cache_sync.local.servers import (
    LOOPBACK,
    ChildServer,
    child_server,
    free_port,
    temporary_folder,
    wait_until,
    with_free_port,
)


@dataclass(frozen=True)
class TlsCache:
    """A cache that is running.

    Attributes:
        port: Its port.
        authority: The file of the authority that signed its certificate.
        server: Its process.
    """

    port: int
    authority: Path
    server: ChildServer

    @property
    def url(self) -> str:
        """Its URL for the one who may do everything."""
        return f"rediss://{LOOPBACK}:{self.port}?ssl_ca_certs={self.authority}&cluster=true"

    def admin(self) -> redis.Redis:
        """A client who may do everything, of this one node."""
        url = f"rediss://{LOOPBACK}:{self.port}?ssl_ca_certs={self.authority}"
        return redis.Redis.from_url(url, protocol=2, socket_timeout=10)


@contextlib.contextmanager
def tls_cache(users: Mapping[str, Mapping[str, Any]]) -> Iterator[TlsCache]:
    """Run it with these users, resources of a template."""
    with contextlib.ExitStack() as stack:
        certificates = stack.enter_context(temporary_folder("certificates"))
        _certify(certificates)

        def start(port: int) -> TlsCache:
            with contextlib.ExitStack() as attempt:
                folder = attempt.enter_context(temporary_folder("redis"))
                (folder / "redis.conf").write_text("\n".join(_directives(folder, certificates, port, users)))
                child = attempt.enter_context(child_server(["redis-server", str(folder / "redis.conf")], folder))
                wait_until(lambda: "Ready to accept" in child.read_log(), server=child, name="redis-server", seconds=10)
                stack.enter_context(attempt.pop_all())
            return TlsCache(port, certificates / "ca.pem", child)

        cache = with_free_port(start)
        with cache.admin() as admin:
            admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 10
            while b"cluster_state:ok" not in _info(admin):
                if time.monotonic() > deadline:
                    raise TimeoutError("the cache did not take its slots")
        yield cache


def _info(admin: redis.Redis) -> bytes:
    answer: Any = admin.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
    return answer if isinstance(answer, bytes) else str(answer).encode()


def _directives(folder: Path, certificates: Path, port: int, users: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"bind {LOOPBACK}",
        "port 0",
        f"tls-port {port}",
        "cluster-enabled yes",
        f"cluster-port {free_port()}",
        'save ""',
        f'dir "{folder}"',
        f'tls-cert-file "{certificates}/server.pem"',
        f'tls-key-file "{certificates}/server.key"',
        f'tls-ca-cert-file "{certificates}/ca.pem"',
        "tls-auth-clients no",
        "tls-replication yes",
        "tls-cluster yes",
        # nopass stands for IAM; the rest is the template's own text.
        *(f"user {user['UserName']} nopass {user['AccessString']}" for user in users.values()),
        "",
    ]


def _certify(folder: Path) -> None:
    """An authority, and a certificate of its for this machine."""
    new = ("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2")
    _openssl(
        *(*new, "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
    )
    _openssl(
        *(*new, "-subj", "/CN=localhost", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
        *("-addext", f"subjectAltName=DNS:localhost,IP:{LOOPBACK}", "-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "authorityKeyIdentifier=keyid"),
        *("-keyout", folder / "server.key", "-out", folder / "server.pem"),
    )


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
