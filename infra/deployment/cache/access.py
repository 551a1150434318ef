"""The access strings of the cache's users: the smallest that each function can do its work with. Pure.

They are those of docs/how-to/permissions.md, which a test compares; there, a test on servers shows that none of the
commands and patterns can be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from deployment.options import Options

User = Literal["applier", "filler", "verifier", "redriver", "reader"]
USERS: Final[tuple[User, ...]] = get_args(User)

DRIFT_PREFIX: Final = "~v:~drift:{"
_TO_LEARN_THE_NODES: Final = ("cluster|slots", "command")
_CLIENTS_OF_READERS: Final = ("cluster|nodes", "cluster|shards", "ping", "readonly")
"""With which clients of other languages look for the nodes, keep connections, and read from replicas."""
_SCRIPTS: Final = ("evalsha", "script|load")


def access_string(user: User, options: Options) -> str:
    """What a user may do, on the keys of the key template and their guards alone.

    Args:
        user: Whose.
        options: Their encoding, mode and expiry need commands of their own.
    """
    hashes = options.encoding == "hash"
    writing = [*_SCRIPTS, "set"]
    if hashes:
        writing += ["hset", "del"]
    if options.expiring:
        writing += ["pexpireat"]
    get = "hgetall" if hashes else "get"
    commands = {
        "applier": [*writing, "del", *(["pttl", "pexpire"] if hashes and options.mode == "refresh" else [])],
        "filler": [*writing, "exists"],
        "verifier": ["scan", "get", "pttl", get],
        # It applies what is young, and repairs what is old.
        "redriver": [*writing, "del", "get", get],
        "reader": [get, *_CLIENTS_OF_READERS],
    }[user]
    keys = [f"~{options.key_prefix}*"]
    if user != "reader":
        keys += [f"~{options.guard_prefix}*"]
    if user == "verifier":
        # Where a sample looks for what earlier ones found. It may not write it: that would let it write items too.
        keys += [f"~{DRIFT_PREFIX}*"]
    allowed = [f"+{each}" for each in dict.fromkeys([*commands, *_TO_LEARN_THE_NODES])]
    return " ".join(["on", *keys, "-@all", *allowed])
