"""A process of its own that applies one event through the proxies: `process <cache URL> <port>:<proxy's port>,...`.

Slowly, so that it can be killed in the midst of it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import orjson
from tests.pipeline_faults.items import KEYS

from ddb_cache_sync import JsonEncoding, Replicator, apply_stream_event, connect

if TYPE_CHECKING:
    from ddb_cache_sync import Image


class SlowEncoding(JsonEncoding):
    """The JSON of an item, after a moment."""

    def encode(self, item: Image) -> bytes:
        """See `Encoding.encode`."""
        time.sleep(0.0005)
        return super().encode(item)


def main() -> None:
    """Apply the event on stdin."""
    _, url, ports = sys.argv
    proxies = {int(port): int(proxy) for port, proxy in (pair.split(":") for pair in ports.split(","))}
    client = connect(url, address_remap=lambda address: (address[0], proxies.get(address[1], address[1])))
    with client:
        replicator = Replicator(client, keys=KEYS, encoding=SlowEncoding())
        apply_stream_event(orjson.loads(sys.stdin.buffer.read()), replicator)


if __name__ == "__main__":
    main()
