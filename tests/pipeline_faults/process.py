"""A process of its own that applies one event through the proxies: `process <cache URL> <port>:<proxy's port>,...`."""

from __future__ import annotations

import sys

import orjson
from tests.pipeline_faults.items import PROJECTION

from ddb_cache_sync import Replicator, apply_stream_event, connect


def main() -> None:
    """Apply the event on stdin."""
    _, url, ports = sys.argv
    proxies = {int(port): int(proxy) for port, proxy in (pair.split(":") for pair in ports.split(","))}
    client = connect(url, address_remap=lambda address: (address[0], proxies.get(address[1], address[1])))
    with client:
        apply_stream_event(orjson.loads(sys.stdin.buffer.read()), Replicator(client, PROJECTION))


if __name__ == "__main__":
    main()
