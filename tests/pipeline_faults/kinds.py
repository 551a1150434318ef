"""The faults that are put in, and the count of those that were shown to have struck."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum
from typing import Final, Self


class Kind(StrEnum):
    """A fault; counted only where its effect was seen."""

    how: str
    """How it is made, and how it is seen."""

    def __new__(cls, value: str, how: str) -> Self:
        """A fault with its description."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.how = how
        return made

    DUPLICATE = "duplicate", "An event is delivered twice: both deliveries were answered."
    REORDER = "reorder", "The records of an event come in random order: they were applied so."
    WHOLE_RETRY = "whole batch retried", "An invocation fails with nothing applied: its records came again."
    PARTIAL_RETRY = (
        "part of a batch retried",
        "A record of an applied batch is reported as failed: the batch came again from there on.",
    )
    BISECT = "bisected batch", "A batch that failed came again as its first half."
    INTERLEAVE = (
        "parallel interleave",
        "Two clients apply the same records in different orders: both were at it at the same time.",
    )
    TIMEOUT_AFTER_WRITE = (
        "time-out after the write",
        "All is applied, and the function's time-out passes before it answers: the batch came again.",
    )
    CRASH = (
        "crash between records",
        "Some records of a batch are applied, then the invocation fails: the batch came again.",
    )
    KILLED = (
        "killed process",
        "A process is killed (SIGKILL) in the midst of a batch: some of its commands had gone through, not all.",
    )
    POISON = "poison record", "A record that can't be decoded was reported as failed, all others of its batch applied."
    GIVEN_UP = (
        "given up, then redriven",
        "A batch used up its retries, went to the on-failure destination, and was redriven from there.",
    )
    OLD_RECORDS = (
        "old records delivered again",
        "An event of long ago is delivered again: some of its changes were stale by then.",
    )
    READ_AGAIN = (
        "old records redriven after their guards",
        "What is older than guards live is redriven beside the stream: the items were read. Counted in records.",
    )
    SHARD_SPLIT = "shard split", "A shard ends and its two children go on: records of a child were read."
    STREAM_RECREATED = (
        "stream re-created",
        "The stream is switched off and on: records of the old one came after some of the new one.",
    )
    GUARD_EXPIRY = (
        "guard expiry",
        "`PEXPIRE`, of guards of items that change or are filled in next: it is gone. Counted in guards.",
    )
    BACKFILL_RACE = "backfill race", "A backfill writes what has changed since it was read. Counted in items."
    CUT_BEFORE = "connection cut before the write", "By the proxy: the server never saw the command."
    CUT_AFTER = "connection cut after the write", "By the proxy: the server carried it out, and its reply was lost."
    CUT_WITHIN = "connection cut within the reply", "By the proxy."
    SLOW_REPLY = "slow reply", "By the proxy."
    NO_REPLY = "reply that never comes", "By the proxy: the connection stays open."
    THAWED_SOCKET = "thawed socket", "By the proxy: connections that had died unnoticed were used."
    REFUSED = "refused connection", "By the proxy: new connections were closed at once."
    KILLED_CONNECTIONS = "connections killed by the server", "By `CLIENT KILL`, all of a node."
    STALLED_SERVER = "stalled server", "A node is stopped (SIGSTOP) for a while: a `PING` took that long."
    READONLY = "READONLY", "By the proxy: in a cluster a replica answers MOVED."
    MASTERDOWN = "MASTERDOWN", "By the proxy."
    MISCONF = "MISCONF", "By the proxy."
    MOVED = "MOVED", "By a node whose slot has moved."
    ASK = "ASK", "By a node whose slot is on its way."
    TRYAGAIN = "TRYAGAIN", "By the node that a slot is on its way to, of a guard that is there and a value that is not."
    CLUSTERDOWN = "CLUSTERDOWN", "By a node that misses a slot."
    LOADING = "LOADING", "By a node that reads its data anew."
    NOSCRIPT = "NOSCRIPT", "By nodes that were made to forget their scripts."
    OOM = "OOM", "By a node whose memory was limited."
    NOREPLICAS = "NOREPLICAS", "By a node that wants more replicas than it has."
    BUSY = "BUSY", "By a node that runs an endless script."
    FAILOVER = "failover in order", "A replica took over in agreement with its primary: it is a primary."
    FAILOVER_WITH_LOSS = (
        "failover with loss",
        "A replica that had fallen behind took over by force: writes were missing afterwards.",
    )


BY_PIECE: Final = frozenset({Kind.READ_AGAIN, Kind.GUARD_EXPIRY, Kind.BACKFILL_RACE})
"""Those counted in records, guards or items: thousands at a time."""


class Counts:
    """How often each kind struck. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Kind] = Counter(dict.fromkeys(Kind, 0))

    def add(self, kind: Kind, times: int = 1) -> None:
        """Count some more."""
        with self._lock:
            self._counts[kind] += times

    def __getitem__(self, kind: Kind) -> int:
        return self._counts[kind]

    def as_json(self) -> dict[str, int]:
        """By name."""
        with self._lock:
            return {kind.value: self._counts[kind] for kind in Kind}
