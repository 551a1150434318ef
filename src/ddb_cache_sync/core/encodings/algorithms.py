"""The ways to compress, and how a compressed value is recognised by its first bytes.

Rules: zlib is recognised by every header that RFC 1950 allows (section 2.2; the second byte depends on the level), zstd
by its magic number (RFC 8878, section 3.1.1). No value begins with both. Expanding is bounded: what is larger than was
allowed is never made, and the compressed bytes must be whole and alone. Nothing here holds state, so all of it can be
shared between threads.
"""

import sys
import zlib
from typing import Any, Final, Literal, Protocol, TypeAlias

from ddb_cache_sync.errors import ConfigurationError

AlgorithmName: TypeAlias = Literal["zlib", "zstd"]

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def algorithm_of(value: bytes) -> AlgorithmName | None:
    """How a value was compressed, by its first bytes; None: it is plain."""
    if value.startswith(_ZSTD_MAGIC):
        return "zstd"
    # Method 8 (deflate), a window of at most 32 KiB, and a check that makes the two bytes a multiple of 31.
    if len(value) > 1 and value[0] & 0x0F == 8 and value[0] >> 4 <= 7 and (value[0] << 8 | value[1]) % 31 == 0:
        return "zlib"
    return None


class Algorithm(Protocol):
    """One way to compress."""

    levels: range
    """The levels that there are, from fast to small."""

    def compress(self, plain: bytes, level: int | None, /) -> bytes:
        """Compress; the same bytes and level give the same bytes. Level None: the algorithm's usual one."""
        ...

    def expand(self, value: bytes, max_bytes: int, /) -> bytes:
        """Give the bytes that were compressed.

        Raises:
            ValueError: More than `max_bytes`, cut off, damaged, or followed by something else.
        """
        ...


class Zlib:
    """zlib, of the standard library."""

    levels = range(10)

    def compress(self, plain: bytes, level: int | None, /) -> bytes:
        """Compress, at level 6 unless told."""
        return zlib.compress(plain, 6 if level is None else level)

    def expand(self, value: bytes, max_bytes: int, /) -> bytes:
        """Give the bytes that were compressed; stops at the first that is too many."""
        stream = zlib.decompressobj()
        try:
            plain = stream.decompress(value, max_bytes + 1)
        except zlib.error:
            raise ValueError("damaged zlib") from None
        if len(plain) > max_bytes:
            raise _too_large(max_bytes)
        return _whole(plain, ended=stream.eof, rest=stream.unused_data)


class StandardZstd:
    """zstd, of the standard library from Python 3.14 on.

    Args:
        module: `compression.zstd`.
    """

    levels = range(1, 23)

    def __init__(self, module: Any) -> None:
        self._zstd = module

    def compress(self, plain: bytes, level: int | None, /) -> bytes:
        """Compress, at level 3 unless told; a checksum follows."""
        option = self._zstd.CompressionParameter
        options = {option.compression_level: 3 if level is None else level, option.checksum_flag: 1}
        compressed: bytes = self._zstd.compress(plain, options=options)
        return compressed

    def expand(self, value: bytes, max_bytes: int, /) -> bytes:
        """Give the bytes that were compressed; the size that the frame tells is looked at first."""
        stream = self._zstd.ZstdDecompressor()
        try:
            size = _allowed(self._zstd.get_frame_info(value).decompressed_size or 0, max_bytes)
            plain: bytes = stream.decompress(value, max_length=size + 1)
        except self._zstd.ZstdError:
            raise ValueError("damaged zstd") from None
        return _whole(plain, ended=stream.eof and len(plain) == size, rest=stream.unused_data)


class PypiZstd:
    """zstd, of the package zstandard.

    Args:
        module: `zstandard`.
    """

    levels = range(1, 23)

    def __init__(self, module: Any) -> None:
        self._zstd = module

    def compress(self, plain: bytes, level: int | None, /) -> bytes:
        """Compress, at level 3 unless told; a checksum follows."""
        # A compressor for each value: it must not be shared between threads.
        compressor = self._zstd.ZstdCompressor(level=3 if level is None else level, write_checksum=True)
        compressed: bytes = compressor.compress(plain)
        return compressed

    def expand(self, value: bytes, max_bytes: int, /) -> bytes:
        """Give the bytes that were compressed; the size that the frame tells is looked at first."""
        try:
            _allowed(self._zstd.frame_content_size(value), max_bytes)
            plain: bytes = self._zstd.ZstdDecompressor().decompress(value, allow_extra_data=False)
        except self._zstd.ZstdError:
            raise ValueError("damaged zstd, or something after it") from None
        return plain


def algorithm_named(name: AlgorithmName) -> Algorithm:
    """Give an algorithm, its library loaded.

    Raises:
        ConfigurationError: Its library is not installed.
    """
    if name == "zlib":
        return Zlib()
    zstd: Algorithm
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd as standard  # noqa: PLC0415 - loaded only where it is asked for

            zstd = StandardZstd(standard)
        else:
            import zstandard  # noqa: PLC0415 - an extra

            zstd = PypiZstd(zstandard)
    except ImportError:
        raise ConfigurationError(
            "zstd needs a library that is not installed", hint="Run pip install 'ddb-cache-sync[zstd]'."
        ) from None
    return zstd


def _allowed(size: int, max_bytes: int) -> int:
    """The size that a zstd frame tells; what this library wrote always tells it, and is never empty.

    Raises:
        ValueError: None, or too large.
    """
    if size < 1:
        raise ValueError("zstd that does not tell its size")
    if size > max_bytes:
        raise _too_large(max_bytes)
    return size


def _whole(plain: bytes, *, ended: bool, rest: bytes) -> bytes:
    if not ended:
        raise ValueError("compressed bytes that are cut off")
    if rest:
        raise ValueError("something after the compressed bytes")
    return plain


def _too_large(max_bytes: int) -> ValueError:
    return ValueError(f"more than {max_bytes} bytes when expanded")
