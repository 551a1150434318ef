"""A TCP proxy that makes a connection longer: what comes in goes out a fixed time later, in both directions.

Rule: it delays and does not hold up. Each piece is stamped when it comes in and sent when its time has come, however
much came in since; so a pipeline loses one round trip, and a client that waits for each answer loses one each time.

As a program, in a process of its own: `python -m benchmarks.delay_proxy PORT SECONDS` writes the port it listens on,
and ends when its standard input does.
"""

import contextlib
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_PIECE = 1 << 18  # bytes


class Flow:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float) -> None:
        self.source = source
        self.sink = sink
        self._delay = delay
        self._waiting: deque[tuple[float, memoryview]] = deque()

    def take(self) -> bool:
        """Read what has come; False at the end of the stream."""
        piece = self.source.recv(_PIECE)
        self._waiting.append((time.perf_counter() + self._delay, memoryview(piece)))
        return bool(piece)

    def due(self) -> float | None:
        """When the next piece is to be sent; None where there is none."""
        return self._waiting[0][0] if self._waiting else None

    def pass_on(self, now: float) -> bool:
        """Send what is due, as far as the other side takes it; True where it takes no more for now."""
        while self._waiting and self._waiting[0][0] <= now:
            due, piece = self._waiting.popleft()
            sent = 0
            try:
                sent = self.sink.send(piece)
            except BlockingIOError:
                pass
            except ConnectionError:  # gone; its end is read as well
                sent = len(piece)
            if sent < len(piece):
                self._waiting.appendleft((due, piece[sent:]))
                return True
        return False


def forward(listener: socket.socket, port: int, delay: float) -> None:
    """Pass on every connection that is made to the listener, until standard input ends.

    Args:
        listener: Listening.
        port: Where to connect to, on the loopback interface.
        delay: In each direction, seconds.
    """
    flows: list[Flow] = []
    full: set[socket.socket] = set()  # sides that took less than there was
    while True:
        now = time.perf_counter()
        dues = [due for flow in flows if (due := flow.due()) is not None and flow.sink not in full]
        # select and not epoll, which counts in whole milliseconds.
        wait = max(0.0, min(dues) - now) if dues else None
        readable, writable, _ = select.select([listener, sys.stdin, *(flow.source for flow in flows)], full, [], wait)
        if sys.stdin in readable:
            return
        full.difference_update(writable)
        ended = [flow for flow in flows if flow.source in readable and not _took(flow)]
        now = time.perf_counter()
        full.update(flow.sink for flow in flows if flow.sink not in full and flow.pass_on(now))
        gone = {side for flow in ended for side in (flow.source, flow.sink)}
        flows = [flow for flow in flows if flow.source not in gone]
        full -= gone
        for side in gone:
            side.close()
        if listener in readable:
            flows += _connect(listener, port, delay)


def _took(flow: Flow) -> bool:
    try:
        return flow.take()
    except ConnectionError:
        return False


def _connect(listener: socket.socket, port: int, delay: float) -> list[Flow]:
    client, _ = listener.accept()
    server = socket.create_connection((LOOPBACK, port))
    for side in (client, server):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        side.settimeout(0.0)
    return [Flow(client, server, delay), Flow(server, client, delay)]


@contextlib.contextmanager
def delay_proxy(port: int, delay: float) -> Iterator[int]:
    """Run the proxy to this port of the loopback interface until the block is left, and give its own port.

    Args:
        port: Where to connect to.
        delay: In each direction, seconds.
    """
    command = [sys.executable, "-m", "benchmarks.delay_proxy", str(port), str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            yield int(proxy.stdout.readline())
        finally:
            assert proxy.stdin is not None
            proxy.stdin.close()


def main() -> None:
    """Listen on a free port, and forward."""
    port, delay = int(sys.argv[1]), float(sys.argv[2])
    with socket.create_server((LOOPBACK, 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        forward(listener, port, delay)


if __name__ == "__main__":
    main()
