"""The `redis-server` of this machine, if it has one: with TLS, and older than the embedded Valkey."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from ddb_cache_sync.local.servers import child_server, temporary_folder, wait_until, with_free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = [program for program in ("redis-server", "openssl") if shutil.which(program) is None]
needs_redis_server = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


@contextlib.contextmanager
def redis_server(*directives: str) -> Iterator[int]:
    """Run it until the block is left, and give its port, which `{port}` stands for in the directives."""
    with contextlib.ExitStack() as stack:

        def start(port: int) -> int:
            with contextlib.ExitStack() as attempt:
                folder = attempt.enter_context(temporary_folder("redis"))
                lines = ['save ""', f'dir "{folder}"', *(each.replace("{port}", str(port)) for each in directives), ""]
                conf = folder / "redis.conf"
                conf.write_text("\n".join(lines), encoding="utf-8")
                child = attempt.enter_context(child_server(["redis-server", str(conf)], folder))
                wait_until(lambda: "Ready to accept" in child.read_log(), server=child, name="redis-server", seconds=10)
                stack.enter_context(attempt.pop_all())
            return port

        yield with_free_port(start)
