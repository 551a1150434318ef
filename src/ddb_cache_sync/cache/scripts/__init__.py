"""The Lua scripts, each as a function from writes to the command that calls it."""

import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple, Self, TypeAlias

from ddb_cache_sync.core.projection import Write

Command: TypeAlias = Sequence[str | bytes]


class Script(NamedTuple):
    """A script as the server knows it."""

    source: str
    sha: str
    """SHA-1 of the source, hexadecimal: how EVALSHA names it."""

    @classmethod
    def read(cls, name: str) -> Self:
        """Read a script of this package."""
        source = files(__name__).joinpath(f"{name}.lua").read_text("utf-8")
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

APPLY = Script.read("apply")
FILL = Script.read("fill")


def apply_command(writes: Iterable[Write], guard_ttl_seconds: int) -> Command:
    """Apply each write unless its guard is newer. Answers the positions, from 1, of the stale ones."""
    keys: list[str] = []
    arguments: list[str | bytes] = [str(guard_ttl_seconds)]
    for key, guard, version, value in writes:
        keys += (guard, key)
        arguments += (version, "0", "") if value is None else (version, "1", value)
    return APPLY.call(keys, arguments)


def fill_command(writes: Iterable[Write]) -> Command:
    """Fill in each value where there is no guard. Answers the positions, from 1, of the others."""
    keys: list[str] = []
    values: list[bytes] = []
    for write in writes:
        if write.value is None:
            raise ValueError("a backfill writes values and deletes nothing")
        keys += (write.guard, write.key)
        values.append(write.value)
    return FILL.call(keys, values)
