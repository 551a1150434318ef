"""The guard: the small key beside a cache key that holds the version last applied.

Rule: a guard lies in the same slot as its cache key, and no two cache keys share one. So a key without a hash tag is
wrapped into one (`~v:{users:42}`), a key with a hash tag keeps it (`~v:{acme}:42`), and the few keys for which neither
works are refused.

A lease, which the one reader that loads a missing key holds for a while, is the guard of the guard: the prefix once
more (`~v:~v:{users:42}`). It lies in the same slot, and is no cache key's guard, because no cache key begins with the
prefix.
"""

from typing import Final

from ddb_cache_sync.errors import ConfigurationError, RecordError

DEFAULT_GUARD_PREFIX: Final = "~v:"
DEFAULT_GUARD_TTL_SECONDS: Final = 25 * 3600
"""One hour more than a stream keeps its records, so that a guard outlives whatever the stream can deliver again."""


def guard_key(cache_key: str, prefix: str = DEFAULT_GUARD_PREFIX) -> str:
    """The guard's key for a cache key.

    Raises:
        RecordError: A cache key that can have no guard: it begins with the guard prefix, has a closing brace but no
            hash tag, is nothing but a hash tag, or is empty.
    """
    if "}" not in cache_key and not cache_key.startswith(prefix) and cache_key:
        return f"{prefix}{{{cache_key}}}"
    return prefix + _with_hash_tag(cache_key, prefix)


def lease_key(guard: str, prefix: str = DEFAULT_GUARD_PREFIX) -> str:
    """The key of the lease beside a guard."""
    return prefix + guard


def _with_hash_tag(cache_key: str, prefix: str) -> str:
    opening = cache_key.find("{")
    closing = cache_key.find("}", opening + 1) if opening >= 0 else -1
    if not cache_key:
        problem = "an empty cache key"
    elif cache_key.startswith(prefix):
        problem = f"a cache key that begins with the guard prefix {prefix!r}"
    elif closing <= opening + 1:
        problem = "a cache key with a closing brace but no hash tag"
    elif opening == 0 and closing == len(cache_key) - 1:
        problem = "a cache key that is nothing but a hash tag"
    else:
        return cache_key
    raise RecordError(problem, hint="Change the key mapping: such a key can't have a guard of its own in its slot.")


def check_guard_prefix(prefix: str) -> str:
    """Check a guard prefix.

    Raises:
        ConfigurationError: Empty, with braces, or no valid Unicode.
    """
    try:
        prefix.encode()  # what comes from the environment may be none
    except UnicodeEncodeError:
        raise ConfigurationError("a guard prefix that is no valid Unicode", hint="Take one such as '~v:'.") from None
    if not prefix or "{" in prefix or "}" in prefix:
        raise ConfigurationError("a guard prefix that is empty or has braces", hint="Take one such as '~v:'.")
    return prefix
