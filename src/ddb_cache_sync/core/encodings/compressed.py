"""Values of another encoding, compressed where it pays.

Rule: a value is compressed if it has more than `above` bytes, or if it could be taken for a compressed one by its first
bytes. So a reader decides by those alone, whatever algorithm the writer used and wherever it drew the line.
"""

from typing import Any, Final, Literal

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.encodings.algorithms import AlgorithmName, algorithm_named, algorithm_of
from ddb_cache_sync.core.encodings.contract import Encoding, StoredValue
from ddb_cache_sync.errors import ConfigurationError, RecordError

DEFAULT_ABOVE: Final = 1024
DEFAULT_MAX_BYTES: Final = 16 * 1024 * 1024
"""An item has at most 400 KB, and its JSON a few times that."""
LARGEST_STRING: Final = 512 * 1024 * 1024
"""What a string key can hold, bytes."""


class Compressed:
    """Another encoding's values, compressed.

    Writing needs the library of `algorithm` only; reading takes both algorithms and plain values, so that the algorithm
    can be changed, and compression switched on, while older values are still there. Safe to share between threads.

    The same item gives the same bytes as long as the library that compresses is the same: another version of zlib or
    zstd may give others, of the same content.

    Args:
        encoding: Whose values; one that gives strings.
        algorithm: `zlib`, or `zstd` (Python 3.14, or the extra `zstd`).
        above: The most bytes that a value may have and stay plain.
        level: The algorithm's: 0 to 9 for zlib, 1 to 22 for zstd. None: its usual one, 6 or 3.
        max_bytes: The most bytes that a value may have, expanded.

    Raises:
        ConfigurationError: An argument that can't be right, or zstd without its library.
    """

    __slots__ = ("_above", "_algorithm", "_encoding", "_level", "_max_bytes")

    kind: Literal["string"] = "string"

    def __init__(
        self,
        encoding: Encoding,
        algorithm: AlgorithmName = "zlib",
        *,
        above: int = DEFAULT_ABOVE,
        level: int | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        kind: object = getattr(encoding, "kind", None)
        if kind != "string":
            what = "a hash" if kind == "hash" else f"a {type(encoding).__name__}"
            raise ConfigurationError(f"{what} can't be compressed", hint="Give an encoding of strings, such as JSON.")
        if algorithm not in {"zlib", "zstd"}:
            raise ConfigurationError("no such algorithm", hint='Write "zlib" or "zstd".')
        self._algorithm: Final = algorithm_named(algorithm)
        levels = self._algorithm.levels
        if level is not None and level not in levels:
            raise ConfigurationError(
                f"{algorithm} has no such level", hint=f"Choose one from {levels[0]} to {levels[-1]}."
            )
        if above < 0 or not 1 <= max_bytes <= LARGEST_STRING:
            raise ConfigurationError(
                "above or max_bytes is out of bounds", hint=f"Above is at least 0, max_bytes 1 to {LARGEST_STRING}."
            )
        self._encoding: Final = encoding
        self._above: Final = above
        self._level: Final = level
        self._max_bytes: Final = max_bytes

    def encode(self, item: Image) -> bytes | None:
        """The value to store, plain or compressed; None where the other encoding has none.

        Raises:
            RecordError: The other encoding can't carry the item, or its value has more than `max_bytes`.
        """
        plain: object = self._encoding.encode(item)  # may be the caller's own code: what it gives is looked at
        if plain is None:
            return None
        if not isinstance(plain, bytes):
            raise RecordError(f"the encoding gave a {type(plain).__name__}, not bytes")
        if len(plain) > self._max_bytes:
            raise RecordError(f"item: more than {self._max_bytes} bytes", hint="Raise max_bytes of Compressed.")
        if len(plain) <= self._above and algorithm_of(plain) is None:
            return plain
        return self._algorithm.compress(plain, self._level)

    def decode(self, value: StoredValue) -> Any:
        """What the other encoding makes of the value, expanded.

        Raises:
            ValueError: Not a string, more than `max_bytes`, damaged, or no value of the other encoding.
            ConfigurationError: It is zstd, and the library is not installed.
        """
        return self._encoding.decode(self.expand(value))

    def expand(self, value: StoredValue) -> bytes:
        """The other encoding's value, as it was before it was compressed.

        Raises:
            ValueError: Not a string, more than `max_bytes`, or damaged.
            ConfigurationError: It is zstd, and the library is not installed.
        """
        if not isinstance(value, bytes):
            raise ValueError("not a string")  # noqa: TRY004 - one error type for malformed values
        name = algorithm_of(value)
        if name is not None:
            return algorithm_named(name).expand(value, self._max_bytes)
        if len(value) > self._max_bytes:
            raise ValueError(f"more than {self._max_bytes} bytes")
        return value
