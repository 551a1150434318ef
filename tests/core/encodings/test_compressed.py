"""Compressed values."""

import sys
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import items

from ddb_cache_sync import (
    AttributeEncoding,
    Compressed,
    ConfigurationError,
    Encoding,
    HashEncoding,
    Image,
    JsonEncoding,
    RecordError,
)
from ddb_cache_sync.core.encodings import StoredValue
from ddb_cache_sync.core.encodings.algorithms import AlgorithmName, algorithm_named, algorithm_of

ALGORITHMS: tuple[AlgorithmName, ...] = ("zlib", "zstd")
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZLIB_HEADERS = [bytes([first, second]) for first in range(8, 0x79, 16) for second in range(256)
                if (first * 256 + second) % 31 == 0]  # fmt: skip
algorithms = st.sampled_from(ALGORITHMS)
magics = st.sampled_from([*ZLIB_HEADERS, ZSTD_MAGIC])
RAW = AttributeEncoding("a")


def raw(content: bytes) -> Image:
    """An item whose attribute `a` is these bytes."""
    return Image({"a": {"B": content}})


def test_a_short_value_stays_plain_and_a_long_one_is_compressed() -> None:
    """`above` is the longest that stays plain."""
    encoding = Compressed(RAW, above=100)
    assert encoding.encode(raw(b"a" * 100)) == b"a" * 100
    compressed = encoding.encode(raw(b"a" * 101))
    assert compressed is not None
    assert zlib.decompress(compressed) == b"a" * 101


def test_an_item_without_a_value_has_none_compressed_either() -> None:
    """The other encoding decides."""
    assert Compressed(RAW).encode(Image({"id": {"S": "1"}})) is None


@given(items, algorithms, algorithms, st.integers(0, 100))
def test_any_reader_reads_any_writers_values(
    item: dict[str, Any], writes: AlgorithmName, reads: AlgorithmName, above: int
) -> None:
    """Whatever the algorithm and the threshold of either: both can be changed at any time."""
    written = Compressed(JsonEncoding(), writes, above=above).encode(Image(item))
    assert written is not None
    plain = JsonEncoding().encode(Image(item))
    assert Compressed(JsonEncoding(), reads).decode(written) == JsonEncoding().decode(plain)


@given(algorithms, algorithms, magics, st.binary(max_size=20), st.sampled_from([0, 1024]))
def test_a_plain_value_that_looks_compressed_is_compressed(
    writes: AlgorithmName, reads: AlgorithmName, magic: bytes, rest: bytes, above: int
) -> None:
    """By either algorithm's first bytes, however short it is: so that what looks compressed always is."""
    written = Compressed(RAW, writes, above=above).encode(raw(magic + rest))
    assert written is not None
    assert algorithm_of(written) == writes
    assert Compressed(RAW, reads).decode(written) == magic + rest


def test_text_can_look_compressed_too() -> None:
    """`x^` is a zlib header; JSON and DynamoDB JSON begin with a brace and never look so."""
    item = Image({"a": {"S": "x^2"}})
    written = Compressed(RAW).encode(item)
    assert written != b"x^2"
    assert Compressed(RAW).decode(written or b"") == b"x^2"
    assert Compressed(JsonEncoding()).encode(item) == b'{"a":"x^2"}'
    assert algorithm_of(b"{") is algorithm_of(b'{"') is None


@pytest.mark.parametrize(("algorithm", "levels"), [("zlib", range(10)), ("zstd", range(1, 23))])
def test_every_level_is_recognised_and_deterministic(algorithm: AlgorithmName, levels: range) -> None:
    """The second byte of zlib's header depends on the level."""
    content = bytes(range(256)) * 9
    for level in (None, *levels):
        first, second = (Compressed(RAW, algorithm, level=level).encode(raw(content)) for _ in range(2))
        assert first is not None
        assert first == second
        assert algorithm_of(first) == algorithm
        assert Compressed(RAW).decode(first) == content


@given(algorithms, st.binary(min_size=1, max_size=200), st.data())
def test_what_is_cut_off_or_followed_by_something_is_refused(
    algorithm: AlgorithmName, content: bytes, data: st.DataObject
) -> None:
    """The compressed bytes must be whole and alone."""
    encoding = Compressed(RAW, algorithm, above=0)
    written = encoding.encode(raw(content))
    assert written is not None
    magic = 2 if algorithm == "zlib" else 4
    with pytest.raises(ValueError, match=r"cut off|damaged|tell"):
        encoding.decode(written[: data.draw(st.integers(magic, len(written) - 1))])
    with pytest.raises(ValueError, match=r"something after"):
        encoding.decode(written + data.draw(st.one_of(st.just(written), st.binary(min_size=1, max_size=20))))


@given(algorithms, st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_never_gives_other_contents(
    algorithm: AlgorithmName, content: bytes, data: st.DataObject
) -> None:
    """A checksum follows the contents; a bit that only fills up a byte may be anything."""
    written = bytearray(algorithm_named(algorithm).compress(content, None))
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    if algorithm_of(bytes(written)) == algorithm:  # else a plain value, and the other encoding's affair
        with suppress(ValueError):
            assert Compressed(RAW).decode(bytes(written)) == content


def zstd_of_size(content: bytes, told: int) -> bytes:
    """A zstd frame that tells another size than it has."""
    written = bytearray(algorithm_named("zstd").compress(content, None))
    after_magic = 5 if written[4] & 0x20 else 6  # a frame of more than one segment has its window's size first
    written[after_magic : after_magic + 4] = told.to_bytes(4, "little")
    return bytes(written)


BOMB = bytes(64 * 1024 * 1024)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda: zlib.compress(BOMB), id="zlib"),
        pytest.param(lambda: algorithm_named("zstd").compress(BOMB, None), id="zstd"),
        pytest.param(lambda: zstd_of_size(BOMB, 1000), id="zstd that tells a smaller size"),
    ],
)
def test_a_bomb_is_refused_without_being_expanded(bomb: Any) -> None:
    """No more is made than `max_bytes`, by much less than the bomb."""
    written = bomb()
    assert len(written) < 100_000
    encoding = Compressed(RAW, max_bytes=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"more than 1000000 bytes|damaged"):
            encoding.decode(written)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_value_may_have_max_bytes_and_not_one_more(algorithm: AlgorithmName, size: int) -> None:
    """Plain or compressed, written or read: what can't be read is not written."""
    for above in (0, size + 1):
        fits = Compressed(RAW, algorithm, above=above, max_bytes=size)
        written = fits.encode(raw(b"a" * size))
        assert written is not None
        assert fits.decode(written) == b"a" * size
        with pytest.raises(RecordError, match=rf"^item: more than {size} bytes. Raise max_bytes"):
            fits.encode(raw(b"a" * (size + 1)))
        larger = Compressed(RAW, algorithm, above=above).encode(raw(b"a" * (size + 1)))
        assert larger is not None
        with pytest.raises(ValueError, match=f"more than {size} bytes"):
            fits.decode(larger)


@pytest.mark.parametrize(
    "value",
    [
        ZSTD_MAGIC,
        ZSTD_MAGIC + b"SECRET",
        b"\x78\x9c",
        b"\x78\x9cSECRET",
        pytest.param(bytes.fromhex("28b52ffd240001000099e9d851"), id="an empty zstd frame"),
        pytest.param(bytes.fromhex("28b52ffd00001100006161"), id="a zstd frame that does not tell its size"),
        pytest.param(bytes.fromhex("78bb012500c34b4c0400012500c3"), id="zlib with a dictionary"),
    ],
)
def test_what_only_begins_like_a_compressed_value_is_refused(value: bytes) -> None:
    """This library never wrote it."""
    with pytest.raises(ValueError, match=r"^(?!.*SECRET)"):
        Compressed(RAW).decode(value)


class Own:
    """An encoding of one's own."""

    def __init__(self, kind: Literal["string", "hash"], value: Any = None) -> None:
        self.kind = kind
        self.value = value

    def encode(self, item: Image, /) -> Any:
        """What it was told to."""
        return self.value

    def decode(self, value: StoredValue, /) -> Any:
        """Nothing to read."""
        raise NotImplementedError


@pytest.mark.parametrize("encoding", [HashEncoding(), Own("hash")])
def test_a_hash_is_not_compressed(encoding: Encoding) -> None:
    """Its fields are there to be read one by one."""
    with pytest.raises(ConfigurationError, match=r"^a hash can't be compressed\. Give an encoding of strings"):
        Compressed(encoding)


@pytest.mark.parametrize("value", [{"a": b"SECRET"}, "SECRET", 1])
def test_an_encoding_that_gives_no_bytes_makes_a_poison_record(value: Any) -> None:
    """Though it says that it makes strings."""
    with pytest.raises(RecordError, match=f"^the encoding gave a {type(value).__name__}, not bytes$"):
        Compressed(Own("string", value)).encode(raw(b""))


@pytest.mark.parametrize(
    ("encoding", "arguments", "problem"),
    [
        (RAW, {"algorithm": "gzip"}, 'no such algorithm. Write "zlib" or "zstd"'),
        (RAW, {"level": 10}, "zlib has no such level. Choose one from 0 to 9"),
        (RAW, {"level": -1}, "zlib has no such level"),
        (RAW, {"algorithm": "zstd", "level": 0}, "zstd has no such level. Choose one from 1 to 22"),
        (RAW, {"above": -1}, "out of bounds"),
        (RAW, {"max_bytes": 0}, "out of bounds"),
        (RAW, {"max_bytes": 512 * 1024 * 1024 + 1}, "out of bounds"),
        (None, {}, "a NoneType can't be compressed"),
    ],
)
def test_what_can_not_be_right_is_refused_at_once(encoding: Any, arguments: Mapping[str, Any], problem: str) -> None:
    """Before any record."""
    with pytest.raises(ConfigurationError, match=f"^.*{problem}"):
        Compressed(encoding, **arguments)


@pytest.fixture
def no_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both libraries fail to import."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "compression", None)


@pytest.mark.usefixtures("no_zstd")
def test_zstd_without_its_library_is_refused_at_once() -> None:
    """The error says what to install."""
    with pytest.raises(ConfigurationError, match=r"ddb-cache-sync\[zstd\]"):
        Compressed(RAW, "zstd")


@pytest.mark.usefixtures("no_zstd")
def test_zlib_needs_no_library_and_still_guards_values_that_look_like_zstd() -> None:
    """To read zstd, the library is needed; the error says so too."""
    encoding = Compressed(RAW)
    written = encoding.encode(raw(ZSTD_MAGIC))
    assert written is not None
    assert encoding.decode(written) == ZSTD_MAGIC
    with pytest.raises(ConfigurationError, match=r"ddb-cache-sync\[zstd\]"):
        encoding.decode(ZSTD_MAGIC + b"rest")
