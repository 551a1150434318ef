"""A function's handler, with faults between it and the event source mapping that calls it.

Each invocation draws at most one fault, from the run's seed and the event's first sequence number: so the same event
meets the same fault whatever the threads do. A fault counts once its effect was seen.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from tests.faults.proxy import Fault, Way
from tests.pipeline_faults.kinds import Counts, Kind

from ddb_cache_sync import apply_stream_event
from ddb_cache_sync.testing import InjectedFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.pipeline_faults.environments import Environments

_ROOT: Final = Path(__file__).parents[2]
_WAYS: Final = {
    Kind.CUT_BEFORE: Way.CUT_BEFORE,
    Kind.CUT_AFTER: Way.CUT_AFTER,
    Kind.CUT_WITHIN: Way.CUT_WITHIN,
    Kind.SLOW_REPLY: Way.DELAY,
    Kind.NO_REPLY: Way.SWALLOW,
}
_ANSWERS: Final = {
    Kind.READONLY: "-READONLY You can't write against a read only replica.",
    Kind.MASTERDOWN: "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    Kind.MISCONF: "-MISCONF Errors writing to the AOF file: No space left on device",
}
PROXIED: Final = (*_WAYS, *_ANSWERS, Kind.THAWED_SOCKET, Kind.REFUSED)
"""What the proxies do."""
_REMEMBERED: Final = 40
_FEW: Final = 20  # too few records to fail half-way, or to spread over all nodes


class JumpingClock:
    """Epoch seconds that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return time.time() + self.ahead


@dataclass(slots=True)
class Delivery:
    """The handler.

    Args:
        environments: What applies the events.
        primaries: The ports of the nodes that are primaries now.
        counts: Where faults are counted.
        clock: The event source mapping's.
        seed: Of the run.
        mix: The share of the invocations that meet each fault.
        bisect: Whether the event source mapping splits a batch that failed.
        timeout_seconds: The function's time-out.
        each: Faults that come first, in turn, until each of them has struck.
    """

    environments: Environments
    primaries: Callable[[], Sequence[int]]
    counts: Counts
    clock: JumpingClock
    seed: str
    mix: Mapping[Kind, float]
    bisect: bool
    timeout_seconds: float
    each: Sequence[Kind] = ()
    records: int = 0
    """How many were applied or found stale, those that came again included."""
    invocations: int = 0
    past: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Batches of before, as JSON: as objects they would keep the garbage collector busy."""
    newest_arn: str = ""
    """Of the newest stream that a record came from."""
    _awaited: dict[tuple[str, str], tuple[Kind, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Any, context: Any) -> Any:
        """Apply an event, with a fault or without."""
        records = event["Records"]
        first = _identity(records[0])
        with self._lock:
            self.invocations += 1
            self._see_again(first, len(records))
            arn = first[0]
            if arn < self.newest_arn:
                self.counts.add(Kind.STREAM_RECREATED)
            self.newest_arn = max(arn, self.newest_arn)
            chance = random.Random(f"{self.seed}:{first}:{len(records)}:{self.invocations % 7}")
            kind = self._drawn(chance, len(records))
            if chance.random() < 0.1:
                self.past.append(orjson.dumps(records))
        if kind is None:
            return self._apply(event, context)
        if kind in PROXIED:
            return self._through_proxy(kind, event, context, chance)
        return _FAULTS[kind](self, event, context, chance)

    def _drawn(self, chance: random.Random, length: int) -> Kind | None:
        if length < _FEW:
            return None
        left = [kind for kind in self.each if not self.counts[kind]]
        if left:
            return left[self.invocations % len(left)]
        at = chance.random()
        for kind, share in self.mix.items():
            at -= share
            if at < 0:
                return kind
        return None

    def _see_again(self, first: tuple[str, str], length: int) -> None:
        awaited = self._awaited.pop(first, None)
        if awaited is None:
            return
        kind, whole = awaited
        self.counts.add(kind)
        if self.bisect and kind is not Kind.PARTIAL_RETRY and length == whole // 2 < whole:
            self.counts.add(Kind.BISECT)

    def _fails(self, kind: Kind, records: Sequence[Any]) -> InjectedFault:
        """The whole batch is to come again."""
        with self._lock:
            self._awaited[_identity(records[0])] = kind, len(records)
        return InjectedFault(kind.value)

    def _apply(self, event: Any, context: Any) -> Any:
        with self.environments.one() as environment:
            answer = apply_stream_event(event, environment.replicator, context=context)
        self._done(event["Records"], answer)
        return answer

    def _done(self, records: Sequence[Any], answer: Any) -> None:
        failed = len(answer["batchItemFailures"])
        with self._lock:
            self.records += len(records) - failed
        if failed:
            self.counts.add(Kind.POISON)

    def apply_late(self, records: Sequence[Any]) -> int:
        """Apply records by themselves; gives how many were stale."""
        with self.environments.one() as environment:
            report = environment.replicator.apply(records)
        with self._lock:
            self.records += report.applied + report.stale
        return report.stale

    def _duplicate(self, event: Any, context: Any, _: random.Random) -> Any:
        self._apply(event, context)
        answer = self._apply(event, context)
        self.counts.add(Kind.DUPLICATE)
        return answer

    def _reorder(self, event: Any, context: Any, chance: random.Random) -> Any:
        records = chance.sample(event["Records"], len(event["Records"]))
        answer = self._apply({"Records": records}, context)
        self.counts.add(Kind.REORDER)
        return answer

    def _old_records(self, event: Any, context: Any, chance: random.Random) -> Any:
        answer = self._apply(event, context)
        with self._lock:
            old = chance.choice([*self.past]) if self.past else b"[]"
        if self.apply_late(orjson.loads(old)):
            self.counts.add(Kind.OLD_RECORDS)
        return answer

    def _fail_whole(self, event: Any, _context: Any, _chance: random.Random) -> Any:
        raise self._fails(Kind.WHOLE_RETRY, event["Records"])

    def _fail_after(self, event: Any, context: Any, _: random.Random) -> Any:
        answer = self._apply(event, context)
        self._fails(Kind.TIMEOUT_AFTER_WRITE, event["Records"])
        self.clock.ahead += self.timeout_seconds + 1
        return answer

    def _crash(self, event: Any, context: Any, chance: random.Random) -> Any:
        some = [record for record in event["Records"] if chance.random() < 0.5]
        if some:
            self._apply({"Records": some}, context)
        raise self._fails(Kind.CRASH, event["Records"])

    def _report_falsely(self, event: Any, context: Any, chance: random.Random) -> Any:
        answer = self._apply(event, context)
        records = event["Records"]
        if len(records) == 1 or answer["batchItemFailures"]:
            return answer
        place = chance.randrange(1, len(records))
        identity = _identity(records[place])
        with self._lock:
            self._awaited[identity] = Kind.PARTIAL_RETRY, len(records) - place
        return {"batchItemFailures": [{"itemIdentifier": identity[1]}]}

    def _interleave(self, event: Any, context: Any, chance: random.Random) -> Any:
        """Two environments, at the same time, the second in another order."""
        records = chance.sample(event["Records"], len(event["Records"]))
        spans: dict[str, tuple[float, float]] = {}
        together = threading.Barrier(2)

        def second() -> None:
            together.wait()
            began = time.monotonic()
            self.apply_late(records)
            spans["second"] = began, time.monotonic()

        thread = threading.Thread(target=second)
        thread.start()
        together.wait()
        began = time.monotonic()
        try:
            answer = self._apply(event, context)
        finally:
            ended = time.monotonic()
            thread.join()
        if "second" in spans and max(began, spans["second"][0]) < min(ended, spans["second"][1]):
            self.counts.add(Kind.INTERLEAVE)
        return answer

    def _kill(self, event: Any, _context: Any, _chance: random.Random) -> Any:
        """A process of its own applies the event, and is killed when a part of its commands has gone through."""
        records = event["Records"]
        proxies = self.environments.proxies
        with self.environments.proxied_lock:
            proxies.clear()
            for proxy in proxies.all:
                proxy.let_through = len(records) // 10
            ports = ",".join(f"{port}:{proxy.port}" for port, proxy in proxies.by_port.items())
            arguments = [sys.executable, "-m", "tests.pipeline_faults.process", self.environments.url, ports]
            with subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_ROOT) as process:
                assert process.stdin is not None
                process.stdin.write(orjson.dumps(event))
                process.stdin.close()
                while not any(proxy.held for proxy in proxies.all) and process.poll() is None:
                    time.sleep(0.005)
                os.kill(process.pid, signal.SIGKILL)
                killed = process.wait() == -signal.SIGKILL
            if killed and proxies.commands("EVALSHA") and any(proxy.held for proxy in proxies.all):
                self.counts.add(Kind.KILLED)
            proxies.clear()
        raise InjectedFault(Kind.KILLED.value)

    def _through_proxy(self, kind: Kind, event: Any, context: Any, chance: random.Random) -> Any:
        proxies = self.environments.proxies
        early = chance.randrange(1, max(2, len(event["Records"]) // 20))
        with self.environments.proxied_lock:
            proxies.clear()
            proxy = proxies.by_port[chance.choice(self.primaries())]
            fault = Fault(_WAYS.get(kind, Way.ANSWER), seconds=0.2, first=early)
            if kind in _ANSWERS:
                fault = proxy.answer(_ANSWERS[kind], first=early, times=3)
            elif kind in _WAYS:
                proxy.put_in(fault)
            elif kind is Kind.REFUSED:
                proxy.cut()
                proxy.refuse = 2
            frozen = proxy.freeze() if kind is Kind.THAWED_SOCKET else 0
            answer = apply_stream_event(event, self.environments.proxied.replicator, context=context)
            fired = fault.fired or proxy.refused or (frozen and proxy.connections)
            proxies.clear()
        self._done(event["Records"], answer)
        if fired:
            self.counts.add(kind)
        return answer


_FAULTS: Final[Mapping[Kind, Callable[[Delivery, Any, Any, random.Random], Any]]] = {
    Kind.DUPLICATE: Delivery._duplicate,
    Kind.REORDER: Delivery._reorder,
    Kind.OLD_RECORDS: Delivery._old_records,
    Kind.WHOLE_RETRY: Delivery._fail_whole,
    Kind.TIMEOUT_AFTER_WRITE: Delivery._fail_after,
    Kind.CRASH: Delivery._crash,
    Kind.PARTIAL_RETRY: Delivery._report_falsely,
    Kind.INTERLEAVE: Delivery._interleave,
    Kind.KILLED: Delivery._kill,
}
DELIVERED: Final = tuple(_FAULTS)
"""What the handler does itself."""


def _identity(record: Any) -> tuple[str, str]:
    """A record's stream and sequence number."""
    return record["eventSourceARN"], record["dynamodb"]["SequenceNumber"]
