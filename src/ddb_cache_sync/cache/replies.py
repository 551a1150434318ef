"""What an error reply of the cache means for the commands it answers.

Errors of the client are translated here and nowhere else. Their text is never passed on: redis-py puts command
arguments, and so item contents, into it.
"""

import re
import ssl
from enum import Enum, auto
from typing import Final, NamedTuple

import redis.exceptions as client_errors

from ddb_cache_sync.errors import CacheError

_CODE: Final = re.compile(r"[A-Z]{2,20}\b")
# Up to Redis 6.2 an error inside a script hides behind this prefix.
_INSIDE_SCRIPT: Final = re.compile(r"@user_script: ?\d+: -?([A-Z]{2,20})\b")
# A command inside a script that the user may not run has no code of its own ("The user ..." up to Redis 7.0, "ACL
# failure ..." since), and refuses every write alike.
_NOT_ALLOWED_INSIDE_SCRIPT: Final = re.compile(r"ACL failure in script|The user executing the script can't ")


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
    """The cache will not let us, or we will not trust it. Sending again will not help."""
    COMMAND = auto()
    """This command can't be carried out, and others can."""


_BY_CODE: Final = {
    "NOSCRIPT": Fault.SCRIPT_MISSING,
    "MOVED": Fault.MOVED,
    "CROSSSLOT": Fault.MOVED,  # only a client that does not know that it talks to a cluster gets this
    "ASK": Fault.ASK,
    **dict.fromkeys(["TRYAGAIN", "LOADING", "OOM", "BUSY", "NOREPLICAS", "MISCONF"], Fault.TRANSIENT),
    **dict.fromkeys(["CLUSTERDOWN", "READONLY", "MASTERDOWN"], Fault.TOPOLOGY),
    **dict.fromkeys(["NOPERM", "NOAUTH", "WRONGPASS", "CERTIFICATE", "NOCLUSTER", "HANDSHAKE"], Fault.REFUSED),
}

_HINTS: Final = {
    "CERTIFICATE": "The server's certificate is not trusted: check the host's name in the URL, and give a certificate "
    "authority of your own with ?ssl_ca_certs=/path/ca.pem.",
    "HANDSHAKE": "The server refuses the connection itself: check the URL's database number and the client's options.",
    "NOCLUSTER": "The server is no cluster: leave ?cluster=true out of the URL, or give a redis.Redis.",
}
_PERMISSIONS_HINT: Final = (
    "Check the user's password and permissions: docs/how-to/permissions.md lists the smallest set."
)

UNREACHABLE_HINT: Final = "Check its address, its health and whether it expects TLS (rediss://)"
"""What to look at where the cache can't be reached; the sentence goes on. TLS on one side alone looks like a connection
that is cut or silent."""

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
    "SSLCertVerificationError": "CERTIFICATE",
    "_NoClusterError": "NOCLUSTER",
    "HandshakeError": "HANDSHAKE",
}


class Purpose(NamedTuple):
    """What the cache is asked for, in the words of an error."""

    verb: str
    key_verb: str
    when_unavailable: str


WRITING: Final = Purpose("apply changes", "write", "have the batch delivered again, which is always safe")
READING: Final = Purpose("be read", "read", "read again, or give the reader a table client")


class HandshakeError(Exception):
    """The server refused what a client says when it connects, such as the number of a database it does not have."""


class _NoClusterError(Exception):
    """A server that knows no cluster commands was taken for a node."""


def source_of(error: Exception) -> Exception:
    """The error behind the client's: what ended a cluster's discovery, a certificate's refusal, or an error of ours."""
    within_discovery = isinstance(error, client_errors.RedisClusterException)
    while isinstance(error, client_errors.RedisClusterException):
        below = error.__cause__ or error.__context__
        if not isinstance(below, Exception):
            return error
        error = below
    if within_discovery and type(error) is client_errors.ResponseError:
        return _NoClusterError()
    below = error.__context__
    untrusted = isinstance(below, ssl.SSLCertVerificationError) and isinstance(error, client_errors.ConnectionError)
    return below if untrusted and isinstance(below, Exception) else error


def _reason_of(error: Exception) -> str:
    """The name of the system's error behind a broken connection, such as `gaierror`, where there is one."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, OSError):
        below = below.__cause__ or below.__context__
    return type(error if below is None else below).__name__


def code_of(error: Exception) -> str:
    """The error's code, such as `OOM`, or the name of its type: safe to show."""
    error = source_of(error)
    name = type(error).__name__
    if name in _CODE_OF_CLASS:
        return _CODE_OF_CLASS[name]
    if isinstance(error, client_errors.ResponseError):
        text = str(error).removeprefix("ERR ")  # redis-py cuts it off as well
        # ElastiCache Serverless has been seen to answer "ERR MOVED ...", and Redis 6.2 answers with an error's place.
        if _NOT_ALLOWED_INSIDE_SCRIPT.search(text):
            return "NOPERM"
        found = _CODE.match(text) or _INSIDE_SCRIPT.search(text)
        return found[found.lastindex or 0] if found else name
    return _reason_of(error) if isinstance(error, client_errors.ConnectionError | client_errors.TimeoutError) else name


def fault_of(error: Exception) -> Fault:
    """Whose fault an error is, whether the cache replied it or the connection raised it."""
    known = _BY_CODE.get(code_of(error))
    if known is not None:
        return known
    if isinstance(source_of(error), client_errors.ResponseError | client_errors.DataError):
        return Fault.COMMAND
    return Fault.TOPOLOGY  # a connection that broke, or can't be had


def is_answer(error: Exception) -> bool:
    """Whether an error is what a server that was reached said, or showed; a connection that can't be had is none."""
    return code_of(error) in _BY_CODE


def refusal(code: str, purpose: Purpose) -> CacheError:
    """The error that says that the cache refuses us, and what to do."""
    return CacheError(f"the cache refuses to {purpose.verb} ({code})", hint=_HINTS.get(code, _PERMISSIONS_HINT))
