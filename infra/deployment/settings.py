"""The library's settings, as environment variables: the same for all functions that write or read items' keys. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployment.options import Options


def replication_settings(options: Options) -> dict[str, str]:
    """Where items go, and in which form; README.md of the library explains each variable."""
    settings = {
        "DDB_CACHE_SYNC_KEY_TEMPLATE": options.key_template,
        "DDB_CACHE_SYNC_ENCODING": options.encoding,
        "DDB_CACHE_SYNC_MODE": options.mode,
    }
    if options.ttl_attribute:
        settings["DDB_CACHE_SYNC_TTL_ATTRIBUTE"] = options.ttl_attribute
    if options.value_ttl_seconds:
        settings["DDB_CACHE_SYNC_VALUE_TTL_SECONDS"] = str(options.value_ttl_seconds)
    return settings
