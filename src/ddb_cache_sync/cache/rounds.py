"""One round of sending script calls to the nodes and looking at every reply.

Rule: a write is settled by the reply to its own script call and by nothing else; what is not settled is sent again, it
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ddb_cache_sync.cache.pipeline import NodePipeline
from ddb_cache_sync.cache.replies import WRITING, Fault, Purpose, code_of, fault_of, refusal, source_of
from ddb_cache_sync.cache.scripts import ASKING, Command, Script
from ddb_cache_sync.cache.topology import CLIENT_ERRORS, Topology
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.errors import CacheError, CacheSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import redis


class Keyed(Protocol):
    """What concerns one cache key: a write, or a reader's question."""

    @property
    def key(self) -> str:
        """The cache key."""
        ...


def outcomes_of(count: int, reply: Any) -> Sequence[Any] | None:
    """The results of so many writes, given 0 or the positions of the stale ones; None: the reply is something else."""
    if type(reply) is int and reply == 0:
        return (APPLIED,) * count
    places = range(1, count + 1)
    if not isinstance(reply, list) or not reply or any(position not in places for position in reply):
        return None
    results: list[Any] = [APPLIED] * count
    for position in reply:
        results[position - 1] = STALE
    return results


class ScriptCalls(NamedTuple):
    """How writes, or questions, become calls of one script or command."""

    script: Script | None
    """None: a command that every node knows."""
    command: Callable[[Sequence[Any]], Command]
    results: Callable[[int, Any], Sequence[Any] | None] = outcomes_of
    """What a reply says of each, given how many they are; None: it is not such a reply."""
    purpose: Purpose = WRITING


class Call(NamedTuple):
    """Writes, or questions, that go in one command, and how it has to be sent."""

    how: ScriptCalls
    first_place: int
    """Where the result of its first write stands among all results; the others follow."""
    writes: Sequence[Keyed]
    node: redis.Redis | None = None
    """Where a redirection sends it; None: where its key belongs."""
    asking: bool = False
    """The redirection was an ASK, which the node has to be told."""
    load_script: bool = False
    """Its node does not know the script."""


class _Lane(NamedTuple):
    """What one node is sent in a round."""

    pipeline: NodePipeline
    calls: list[Call]
    loaded: set[Script]


class Round:
    """One round: `send` once, and the attributes tell what it came to.

    Attributes:
        settled: Results by place.
        again: What has to be sent again.
        wait_for: The code of the last error that calls for a wait before the next round; None: no need to wait.
        topology_changed: The nodes have to be learned anew first.
    """

    def __init__(self, topology: Topology, deadline: float, monotonic: Callable[[], float]) -> None:
        self.settled: dict[int, Any] = {}
        self.again: list[Call] = []
        self.wait_for: str | None = None
        self.topology_changed = False
        self._refused: str | None = None
        self._purpose = WRITING
        self._topology = topology
        self._deadline = deadline
        self._monotonic = monotonic
        self._lanes: dict[redis.Redis, _Lane] = {}

    def send(self, calls: Iterable[Call]) -> None:
        """Send every call, then look at every reply.

        Args:
            calls: Read lazily: nodes work on the first while the next are made.

        Raises:
            CacheError: The cache refuses us.
        """
        unknown: Exception | None = None
        try:
            for call in calls:
                if call.node is None and unknown is not None:
                    self._settle_error(call, unknown)
                    continue
                try:
                    node = call.node or self._topology.node_of(call.writes[0].key)
                except CLIENT_ERRORS as error:
                    unknown = error  # the nodes can't be learned: to try so for each call would outlast the deadline
                    self._settle_error(call, error)
                    continue
                if node is None:
                    self._try_later(call, "CLUSTERDOWN", topology_changed=True)
                else:
                    self._send(call, node)
            for lane in self._lanes.values():
                lane.pipeline.flush()
            for lane in self._lanes.values():
                for call, reply in zip(lane.calls, lane.pipeline.replies(), strict=True):
                    self._settle(call, reply)
        finally:
            for lane in self._lanes.values():
                lane.pipeline.close()
        if self._refused is not None:
            raise refusal(self._refused, self._purpose)

    def _send(self, call: Call, node: redis.Redis) -> None:
        lane = self._lanes.get(node)
        if lane is None:
            pipeline = NodePipeline(node, self._deadline, self._monotonic)
            lane = self._lanes[node] = _Lane(pipeline, [], set())
        preludes: list[Command] = []
        if call.load_script and (script := call.how.script) is not None and script not in lane.loaded:
            preludes.append(script.load_command)
            lane.loaded.add(script)
        if call.asking:
            preludes.append(ASKING)
        lane.pipeline.send(call.how.command(call.writes), preludes)
        lane.calls.append(call)

    def _settle(self, call: Call, reply: Any) -> None:
        """Decide what a reply means for the writes of its call."""
        results = None if isinstance(reply, Exception) else call.how.results(len(call.writes), reply)
        if results is None:
            self._settle_error(call, reply)
            return
        for place, result in enumerate(results, call.first_place):
            self.settled[place] = result

    def _settle_error(self, call: Call, reply: Any) -> None:
        """Decide what an error means for the writes of its call."""
        if isinstance(reply, Exception) and isinstance(source := source_of(reply), CacheSyncError):
            raise source  # of a credential provider, which redis-py's cluster client wraps
        code = code_of(reply) if isinstance(reply, Exception) else "an unexpected reply"
        fault = fault_of(reply) if isinstance(reply, Exception) else Fault.COMMAND
        match fault:
            case Fault.REFUSED:
                self._refused = code
                self._purpose = call.how.purpose
            case Fault.SCRIPT_MISSING if not call.load_script:
                self.again.append(call._replace(load_script=True))
            case Fault.MOVED | Fault.ASK if call.node is None and (node := self._topology.redirected(reply)):
                self.again.append(call._replace(node=node, asking=fault is Fault.ASK))
            case Fault.TRANSIENT | Fault.SCRIPT_MISSING:
                self._try_later(call, code)
            case Fault.TOPOLOGY | Fault.MOVED | Fault.ASK:
                self._try_later(call, code, topology_changed=True)
            case Fault.COMMAND if len(call.writes) > 1:
                # One of its keys is at fault: the others are told apart by sending each alone.
                self.again += [Call(call.how, call.first_place + n, [write]) for n, write in enumerate(call.writes)]
            case Fault.COMMAND:
                self.settled[call.first_place] = CacheError(
                    f"the cache refused to {call.how.purpose.key_verb} {_name_of(call.writes[0])} ({code})",
                    hint="Look at what that key and its guard hold.",
                )

    def _try_later(self, call: Call, code: str, *, topology_changed: bool = False) -> None:
        self.wait_for = code
        self.topology_changed |= topology_changed
        self.again.append(Call(call.how, call.first_place, call.writes))


def _name_of(first: Keyed) -> str:
    """What an error calls it: a lookup key is made of attributes that are no key, so its owner is told instead."""
    owner = getattr(first, "owner", None)
    return f"key {first.key!r}" if owner is None else f"a lookup key of {owner!r}"
