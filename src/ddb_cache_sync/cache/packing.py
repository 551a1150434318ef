"""Commands as the Redis protocol has them: by hiredis where it is installed, as redis-py does it, else here.

Called directly, since redis-py's own way to hiredis looks at every argument of every command once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ddb_cache_sync.cache.scripts import Command

hiredis: Any
try:
    import hiredis
except ImportError:
    hiredis = None

PUSHES: Final[Any] = getattr(hiredis, "PushNotification", ())
"""What hiredis makes of a push, which answers no command: redis-py 5.3 hands it on like a reply."""


def pack_in_python(command: Command) -> bytes:
    """A command of the Redis protocol: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        content = argument.encode() if isinstance(argument, str) else argument
        parts.append(b"$%d\r\n%b\r\n" % (len(content), content))
    return b"".join(parts)


def pack(command: Command) -> bytes:
    """The bytes to send for a command."""
    packed: bytes = hiredis.pack_command(tuple(command)) if hiredis else pack_in_python(command)
    return packed
