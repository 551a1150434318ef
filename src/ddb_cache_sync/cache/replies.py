"""What an error reply of the cache means for the commands it answers.

Errors of the client are translated here and nowhere else. Their text is never passed on: redis-py puts command
arguments, and so item contents, into it.
"""

import re
from enum import Enum, auto
from typing import Final

import redis.exceptions as client_errors

_CODE: Final = re.compile(r"[A-Z]{2,20}\b")
# Up to Redis 6.2 an error inside a script hides behind this prefix.
_INSIDE_SCRIPT: Final = re.compile(r"@user_script: ?\d+: -?([A-Z]{2,20})\b")


class Fault(Enum):
    """Whose fault an error reply is, and so what to do."""

    SCRIPT_MISSING = auto()
    """The node does not know the script: load it and send again."""
    MOVED = auto()
    """Another node serves the key: send there."""
    ASK = auto()
    """Another node serves the key for the moment: send there, after ASKING."""
    TRANSIENT = auto()
    """The cache can't do it now: send again after a while."""
    TOPOLOGY = auto()
    """The same, and the nodes may have changed: learn them anew first."""
    REFUSED = auto()
    """The cache will not let us: permissions, authentication. Sending again will not help."""
    COMMAND = auto()
    """This command can't be carried out, and others can."""


_BY_CODE: Final = {
    "NOSCRIPT": Fault.SCRIPT_MISSING,
    "MOVED": Fault.MOVED,
    "CROSSSLOT": Fault.MOVED,  # only a client that does not know that it talks to a cluster gets this
    "ASK": Fault.ASK,
    **dict.fromkeys(["TRYAGAIN", "LOADING", "OOM", "BUSY", "NOREPLICAS", "MISCONF"], Fault.TRANSIENT),
    **dict.fromkeys(["CLUSTERDOWN", "READONLY", "MASTERDOWN"], Fault.TOPOLOGY),
    **dict.fromkeys(["NOPERM", "NOAUTH", "WRONGPASS"], Fault.REFUSED),
}

# redis-py cuts the code off the text of the errors that it has a class for.
_CODE_OF_CLASS: Final = {
    "NoScriptError": "NOSCRIPT",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "TryAgainError": "TRYAGAIN",
    "ClusterDownError": "CLUSTERDOWN",
    "BusyLoadingError": "LOADING",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "ClusterCrossSlotError": "CROSSSLOT",
    "SlotNotCoveredError": "CLUSTERDOWN",
    "OutOfMemoryError": "OOM",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
    "AuthorizationError": "NOPERM",
}


def code_of(error: Exception) -> str:
    """The error's code, such as `OOM`, or the name of its type: safe to show."""
    name = type(error).__name__
    if name in _CODE_OF_CLASS:
        return _CODE_OF_CLASS[name]
    if isinstance(error, client_errors.ResponseError):
        text = str(error)
        match = _CODE.match(text)
        code = match[0] if match else name
        if code == "ERR":
            inside = _INSIDE_SCRIPT.search(text)
            code = inside[1] if inside else code
        # ElastiCache Serverless has been seen to answer "ERR MOVED ...".
        return "MOVED" if code == "ERR" and text.startswith("ERR MOVED ") else code
    return name


def fault_of(error: Exception) -> Fault:
    """Whose fault an error is, whether the cache replied it or the connection raised it."""
    known = _BY_CODE.get(code_of(error))
    if known is not None:
        return known
    if isinstance(error, client_errors.ResponseError | client_errors.DataError):
        return Fault.COMMAND
    return Fault.TOPOLOGY  # a connection that broke, or can't be had
