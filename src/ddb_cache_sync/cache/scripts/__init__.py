"""The Lua scripts, each as a function from writes to the command that calls it.

Those that answer positions answer 0 where there are none, and never an empty list.
"""

import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple, Self, TypeAlias

from ddb_cache_sync.core.drops import Drop
from ddb_cache_sync.core.fills import Claim, Fill
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.writes import Write

Command: TypeAlias = Sequence[str | bytes]


class Script(NamedTuple):
    """A script as the server knows it."""

    source: str
    sha: str
    """SHA-1 of the source, hexadecimal: how EVALSHA names it."""

    @classmethod
    def read(cls, *names: str) -> Self:
        """Read a script of this package: these files, one after the other."""
        source = "\n".join(files(__name__).joinpath(f"{name}.lua").read_text("utf-8") for name in names)
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())

    @property
    def load_command(self) -> Command:
        """The command that makes the script known."""
        return ("SCRIPT", "LOAD", self.source)

    def call(self, keys: Sequence[str], arguments: Iterable[str | bytes]) -> Command:
        """The command that calls the script."""
        return ["EVALSHA", self.sha, str(len(keys)), *keys, *arguments]


ASKING: Command = ("ASKING",)
"""Goes before a command that an ASK error redirected."""

APPLY = Script.read("put", "apply")
FILL = Script.read("put", "fill")
LOOKUPS = Script.read("lookups")
CLAIM = Script.read("claim")
FILL_UNMOVED = Script.read("put", "fill_unmoved")
REPAIR = Script.read("put", "repair")
DROP = Script.read("drop")

MOST_CLAIMS = 64
"""How many items may claim one lookup key at once: an attribute that so many share is no key."""
MOST_WORDS = 1_000
"""How many items may have passed one lookup key on within the guard's time to live, those that claim it included."""

Arguments: TypeAlias = list[str | bytes]


def apply_command(writes: Sequence[Write], guard_ttl_seconds: int) -> Command:
    """Apply each write unless its guard is newer. Answers the positions, from 1, of the stale ones."""
    ttl = str(guard_ttl_seconds)
    keys: list[str] = []
    arguments: Arguments = [ttl]
    for write in writes:
        key, guard, version, value, expires_at_ms, only_cached, _, _, _ = write
        if type(value) is bytes and expires_at_ms is None and not only_cached:
            if len(writes) == 1:
                return ("EVALSHA", APPLY.sha, "2", guard, key, ttl, version, "set", value)
            arguments += (version, "set", value)
        else:
            arguments.append(version)
            _add_put(arguments, write)
        keys += (guard, key)
    return APPLY.call(keys, arguments)


def lookup_command(writes: Iterable[Write], guard_ttl_seconds: int, now: float) -> Command:
    """Let the owner of each write claim its lookup key, or release it. Answers the positions, from 1, of the stale."""
    keys: list[str] = []
    limits = (guard_ttl_seconds * 1000, int(now * 1000), MOST_CLAIMS, MOST_WORDS)
    arguments: Arguments = [str(limit) for limit in limits]
    for write in writes:
        if write.owner is None or not (write.value is None or isinstance(write.value, bytes)):
            raise ValueError("a lookup key has an owner, and holds a string")
        keys += (write.guard, write.key)
        expires = "~" if write.expires_at_ms is None else f"{write.expires_at_ms:015d}"
        claims = "0" if write.value is None else "1"
        arguments += (write.owner, write.version, claims, expires, write.value or b"")
    return LOOKUPS.call(keys, arguments)


def fill_command(writes: Iterable[Write]) -> Command:
    """Fill in each value, or delete its key, where there is no guard. Answers the positions, from 1, of the others."""
    keys: list[str] = []
    arguments: Arguments = []
    for write in writes:
        keys += (write.guard, write.key)
        if type(write.value) is bytes and write.expires_at_ms is None:
            arguments += ("set", write.value)
        else:
            _add_put(arguments, write)
    return FILL.call(keys, arguments)


def claim_command(claim: Claim) -> Command:
    """Claim a missing key. Answers what it came to, what the guard holds, and the token of the lease's holder."""
    return CLAIM.call((claim.guard, claim.key, claim.lease), (claim.token, str(claim.lease_ms)))


def fill_unmoved_command(fill: Fill) -> Command:
    """Store what was loaded where the guard is unmoved. Answers the position 1 if nothing was stored."""
    claim = fill.claim
    arguments: Arguments = [claim.token, fill.version]
    _add_put(arguments, fill.write)
    return FILL_UNMOVED.call((claim.guard, claim.key, claim.lease), arguments)


def repair_command(repairs: Iterable[Repair], guard_ttl_seconds: int) -> Command:
    """Repair each key where its guard has not moved. Answers the positions, from 1, of the others."""
    keys: list[str] = []
    arguments: Arguments = [str(guard_ttl_seconds)]
    for repair in repairs:
        keys += (repair.write.guard, repair.key)
        arguments += (repair.found, repair.left)
        _add_put(arguments, repair.write)
    return REPAIR.call(keys, arguments)


def drop_command(drops: Iterable[Drop]) -> Command:
    """Delete each key with its guard, unless that is young. Answers the positions, from 1, of the others."""
    keys: list[str] = []
    arguments: Arguments = []
    for drop in drops:
        keys += (drop.guard, drop.key)
        arguments.append("" if drop.most_left_ms is None else str(drop.most_left_ms))
    return DROP.call(keys, arguments)


def _add_put(arguments: Arguments, write: Write) -> None:
    """What `put.lua` reads for a write."""
    value, expires_at_ms = write.value, write.expires_at_ms
    if value is None:
        arguments.append("delete")
        return
    if isinstance(value, bytes) and expires_at_ms is None and not write.only_cached:
        arguments += ("set", value)
        return
    arguments += ("put", "cached" if write.only_cached else "", "" if expires_at_ms is None else str(expires_at_ms))
    if isinstance(value, bytes):
        arguments += ("1", value)
    else:
        arguments.append(str(2 * len(value)))
        for field, content in value.items():
            arguments += (field, content)
