"""A proxy between a client and a Redis or Valkey server that puts faults in, one command at a time, and counts them.

It knows requests and replies well enough to tell where each ends, and no more.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_PIECE = 65_536


class Way(Enum):
    """What becomes of a command and its reply."""

    ANSWER = auto()
    """The proxy answers; the server never sees the command."""
    CUT_BEFORE = auto()
    """The connection ends; the server never sees the command."""
    CUT_AFTER = auto()
    """The server carries it out; the connection ends before the reply."""
    CUT_WITHIN = auto()
    """The server carries it out; the connection ends half-way through the reply."""
    SWALLOW = auto()
    """The server carries it out; neither its reply nor any later one comes, and the connection stays open."""
    DELAY = auto()
    """The reply comes late."""


@dataclass(slots=True)
class Fault:
    """A fault, put in where its command comes by."""

    way: Way
    text: bytes = b""
    """The answer, as it goes over the wire."""
    seconds: float = 0.0
    """The delay."""
    command: str = "EVALSHA"
    """The first word of the commands that it concerns."""
    key: bytes = b""
    """Only commands with such an argument are concerned; empty: all."""
    first: int = 1
    """The number of the first concerned command that it strikes, counted from when it was put in."""
    times: int = 1
    """How many it strikes from there on."""
    seen: int = 0
    fired: int = 0

    def strikes(self, words: list[bytes]) -> bool:
        """Say whether it strikes this command; counted."""
        if words[0].upper() != self.command.encode() or (self.key and self.key not in words):
            return False
        self.seen += 1
        if not self.first <= self.seen < self.first + self.times:
            return False
        self.fired += 1
        return True


# A fault or none for each command that was passed on, or answered; True at the end.
_Waiting: TypeAlias = "SimpleQueue[Fault | bool | None]"


def end_of(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the request or reply that begins at `at` ends; None where it has not all come yet."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, rest, end = data[at : at + 1], data[at + 1 : line], line + 2
    if kind == b"$":
        end += max(0, int(rest)) + (2 if int(rest) >= 0 else 0)
        return end if end <= len(data) else None
    if kind in b"*%>~":
        for _ in range(int(rest) * (2 if kind == b"%" else 1)):
            member = end_of(data, end)
            if member is None:
                return None
            end = member
    return end


def words_of(request: bytes) -> list[bytes]:
    """The words of a request."""
    words, at = [], request.index(b"\r\n") + 2
    while at < len(request):
        line = request.index(b"\r\n", at)
        length = int(request[at + 1 : line])
        words.append(request[line + 2 : line + 2 + length])
        at = line + 4 + length
    return words


def wholes(source: socket.socket) -> Iterator[bytes]:
    """Each request, or each reply, as it comes; ends with the connection."""
    data = bytearray()
    while True:
        while (end := end_of(data)) is not None:
            whole = bytes(data[:end])
            del data[:end]
            yield whole
        try:
            piece = source.recv(_PIECE)
        except OSError:
            return
        if not piece:
            return
        data += piece


class FaultProxy:
    """The proxy, running while its block is.

    Attributes:
        port: Where it listens.
        upstream: The server's port.
        connections: How many were accepted.
        commands: How often each command came by, struck or not.
        keys: How often each argument of an EVALSHA came by; cache keys among them.
        refuse: How many of the next connections are accepted and closed at once.
        mute: New connections are accepted, and nothing is ever read from them or sent.
        let_through: How many more calls of scripts go through; later ones are held back for good. None: all go.
        held: How many were held back.
    """

    def __init__(self, upstream: int = 0) -> None:
        self.upstream = upstream
        self.connections = 0
        self.refused = 0
        self.commands: Counter[str] = Counter()
        self.keys: Counter[bytes] = Counter()
        self.refuse = 0
        self.mute = False
        self.let_through: int | None = None
        self.held = 0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._frozen: set[socket.socket] = set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def put_in(self, *faults: Fault) -> None:
        """Put faults in, after those there are; the first that strikes a command has it."""
        with self._lock:
            self._faults += faults

    def answer(self, text: str, *, command: str = "EVALSHA", key: bytes = b"", first: int = 1, times: int = 1) -> Fault:
        """Put in an answer of the proxy's own, such as `-OOM no room`."""
        fault = Fault(Way.ANSWER, text.encode() + b"\r\n", command=command, key=key, first=first, times=times)
        self.put_in(fault)
        return fault

    def clear(self) -> None:
        """Take all faults out, and forget what came by."""
        with self._lock:
            self._faults.clear()
            self.commands.clear()
            self.keys.clear()
            self.connections = self.refused = self.refuse = self.held = 0
            self.mute = False
            self.let_through = None

    def cut(self) -> None:
        """End every connection."""
        with self._lock:
            sockets, self._open = self._open, []
            self._frozen.clear()
        for each in sockets:
            _end(each)

    def freeze(self) -> int:
        """Leave every connection open and dead, as after a long sleep; new ones work. Gives how many there were."""
        with self._lock:
            self._frozen.update(self._open)
            return len(self._open) // 2

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.refuse > 0:
                self.refuse -= 1
                self.refused += 1
                client.close()
                continue
            if self.mute:
                with self._lock:
                    self._open.append(client)
                continue
            try:
                server = socket.create_connection((LOOPBACK, self.upstream))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += (client, server)
            waiting: _Waiting = SimpleQueue()
            threading.Thread(target=self._requests, args=(client, server, waiting), daemon=True).start()
            threading.Thread(target=self._replies, args=(client, server, waiting), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, waiting: _Waiting) -> None:
        for request in wholes(client):
            if client in self._frozen:
                continue
            words = words_of(request)
            with self._lock:
                if self._holds_back(words):
                    continue
                self.commands[words[0].decode().upper()] += 1
                if words[0].upper() == b"EVALSHA":
                    self.keys.update(words[3 : 3 + int(words[2])])
                fault = next((each for each in self._faults if each.strikes(words)), None)
            if fault is not None and fault.way is Way.CUT_BEFORE:
                _end(client)
                break
            waiting.put(fault)
            if fault is None or fault.way is not Way.ANSWER:
                with contextlib.suppress(OSError):
                    server.sendall(request)
        waiting.put(True)  # the end
        if client not in self._frozen:
            _end(server)

    def _holds_back(self, words: list[bytes]) -> bool:
        if self.let_through is None or words[0].upper() != b"EVALSHA":
            return False
        if self.let_through == 0:
            self.held += 1
            return True
        self.let_through -= 1
        return False

    def _replies(self, client: socket.socket, server: socket.socket, waiting: _Waiting) -> None:
        replies = wholes(server)
        silent = False
        while (fault := waiting.get()) is not True:
            assert not isinstance(fault, bool)
            if fault is not None and fault.way is Way.ANSWER:
                reply = fault.text
            else:
                whole = next(replies, None)
                if whole is None:
                    break
                reply = whole
            if fault is not None and fault.way is Way.DELAY:
                time.sleep(fault.seconds)
            if fault is not None and fault.way is Way.SWALLOW:
                silent = True
            if silent or client in self._frozen:
                continue
            cut = fault is not None and fault.way in (Way.CUT_AFTER, Way.CUT_WITHIN)
            if cut and fault is not None:
                reply = b"" if fault.way is Way.CUT_AFTER else reply[: len(reply) // 2]
            with contextlib.suppress(OSError):
                client.sendall(reply)
            if cut:
                break
        _end(client)
        _end(server)
        with self._lock:
            self._open = [each for each in self._open if each is not client and each is not server]
            self._frozen -= {client, server}


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
