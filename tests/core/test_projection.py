"""Projection: from a change to its write, with key mappings and encodings of one's own."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from ddb_cache_sync import (
    Change,
    ConfigurationError,
    Expiry,
    Image,
    ItemKey,
    JsonEncoding,
    KeyTemplate,
    Projection,
    RecordError,
    Remove,
    Touch,
    Upsert,
    Version,
)
from ddb_cache_sync.core.encodings import StoredValue
from ddb_cache_sync.core.projection import Mode
from ddb_cache_sync.core.writes import Write

VERSION = Version.of(1745415436991, "111")
KEY = ItemKey("T", Image({"id": {"S": "a"}}))
UPSERT = Upsert(KEY, VERSION, Image({"id": {"S": "a"}, "n": {"N": "1"}}))
REMOVE = Remove(KEY, VERSION)


class EncodingOf:
    """An encoding of one's own, made of a function."""

    kind: Literal["string"] = "string"

    def __init__(self, encode: Callable[[Image], Any]) -> None:
        self.encode = encode

    def decode(self, value: StoredValue, /) -> Any:
        """Not read here."""
        raise NotImplementedError


def raises(error: Exception) -> Callable[[Any], Any]:
    """A function that fails."""

    def failing(_: Any) -> Any:
        raise error

    return failing


def test_an_upsert_becomes_the_write_of_its_item() -> None:
    """Key, guard, version and value."""
    projection = Projection(KeyTemplate("users:{id}"))
    cache_key = projection.cache_key(UPSERT)
    assert projection.write(cache_key, UPSERT) == Write("users:a", "~v:{users:a}", VERSION, b'{"id":"a","n":1}')


def test_a_remove_becomes_a_deletion() -> None:
    """Of the same key and guard, without an encoding."""
    projection = Projection(KeyTemplate("users:{id}"), EncodingOf(raises(AssertionError("not called"))))
    assert projection.cache_key(REMOVE) == "users:a"
    assert projection.write("users:a", REMOVE) == Write("users:a", "~v:{users:a}", VERSION, None)


def test_key_mapping_encoding_and_guard_prefix_can_be_ones_own() -> None:
    """Any callable and any object with `encode`."""

    def keys(change: Change, /) -> str:
        return f"é:{change.key.attributes['id']}"

    projection = Projection(keys, EncodingOf(lambda item: str(len(item)).encode()), "guard:")
    assert projection.cache_key(UPSERT) == "é:a"
    assert projection.write("é:a", UPSERT) == Write("é:a", "guard:{é:a}", VERSION, b"2")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "the key mapping gave an empty key"),
        (None, "the key mapping gave a NoneType, not a str"),
        (b"SECRET", "the key mapping gave a bytes, not a str"),
        (1, "the key mapping gave a int, not a str"),
        (["SECRET"], "the key mapping gave a list, not a str"),
        ("SECRET\ud800", "the key mapping raised UnicodeEncodeError"),
    ],
)
def test_rubbish_from_a_key_mapping_makes_a_poison_record(given: Any, problem: str) -> None:
    """Not an error of the whole batch; what it gave is not repeated."""
    with pytest.raises(RecordError) as caught:
        Projection(lambda _: given).cache_key(UPSERT)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "error", [ValueError("SECRET"), KeyError("SECRET"), TypeError(), RecursionError(), StopIteration()]
)
def test_a_key_mapping_that_raises_makes_a_poison_record(error: Exception) -> None:
    """Its type is told and its text is not, for that may repeat contents."""
    with pytest.raises(RecordError, match=f"^the key mapping raised {type(error).__name__}$"):
        Projection(raises(error)).cache_key(UPSERT)


@pytest.mark.parametrize("given", ["SECRET", 1, ["SECRET"], bytearray(b"SECRET")])
def test_rubbish_from_an_encoding_makes_a_poison_record(given: Any) -> None:
    """It could not be stored."""
    with pytest.raises(RecordError, match=f"^the encoding gave a {type(given).__name__}, not bytes$"):
        Projection(encoding=EncodingOf(lambda _: given)).write("k", UPSERT)


@pytest.mark.parametrize("given", [{}, {"SECRET": 1}, {b"SECRET": b""}, {"SECRET": "SECRET"}])
def test_a_hash_is_text_with_bytes_and_has_fields(given: Any) -> None:
    """A hash without fields is no key."""
    with pytest.raises(RecordError, match=r"^the encoding gave a hash "):
        Projection(encoding=EncodingOf(lambda _: given)).write("k", UPSERT)


def test_an_item_without_a_value_has_no_key() -> None:
    """What the encoding can't see of it, no reader should."""
    write = Projection(encoding=EncodingOf(lambda _: None)).write("k", UPSERT)
    assert write == Write("k", "~v:{k}", VERSION, None, left_out=True)


def test_in_mode_invalidate_a_change_deletes_the_key() -> None:
    """Whatever the item is now, and also where the stream does not say it."""
    projection = Projection(mode="invalidate")
    for change in (UPSERT, REMOVE, Touch(KEY, VERSION)):
        assert projection.cache_key(change) == "T:a"
        assert projection.write("T:a", change) == Write("T:a", "~v:{T:a}", VERSION, None)


def test_in_mode_refresh_a_value_is_written_where_the_key_exists() -> None:
    """A removal deletes it as ever."""
    projection = Projection(mode="refresh")
    assert projection.write("k", UPSERT) == Write("k", "~v:{k}", VERSION, b'{"id":"a","n":1}', only_cached=True)
    assert projection.write("k", REMOVE) == Write("k", "~v:{k}", VERSION, None)


@pytest.mark.parametrize("mode", ["replicate", "invalidate", "refresh"])
def test_what_a_reader_fills_in_is_written_in_every_mode(mode: Mode) -> None:
    """Though a change would delete the key, or leave it missing; and it expires as ever."""
    projection = Projection(mode=mode, expiry=Expiry(seconds=100, jitter=0))
    assert projection.write("k", UPSERT, 1.0, filling=True) == Write(
        "k", "~v:{k}", VERSION, b'{"id":"a","n":1}', expires_at_ms=101_000
    )
    assert Projection(mode=mode).write("k", UPSERT, filling=True) == Write("k", "~v:{k}", VERSION, b'{"id":"a","n":1}')


@pytest.mark.parametrize("mode", ["replicate", "refresh"])
def test_a_stream_without_new_images_serves_no_other_mode(mode: Mode) -> None:
    """No record of it could be applied, so it is not the record's fault."""
    with pytest.raises(ConfigurationError, match=r"no new image.*NEW_IMAGE.*invalidate"):
        Projection(mode=mode).cache_key(Touch(KEY, VERSION))


def test_a_value_expires_with_its_item() -> None:
    """In the same step as it is written."""
    item = Image({"id": {"S": "a"}, "expires_at": {"N": "2000"}})
    projection = Projection(expiry=Expiry("expires_at"))
    write = projection.write("k", Upsert(KEY, VERSION, item), now=1999.0)
    assert (write.value, write.expires_at_ms) == (b'{"expires_at":2000,"id":"a"}', 2_000_000)


def test_an_item_that_has_expired_is_gone() -> None:
    """Though DynamoDB may take days to remove it. It is not left out: the cache holds what the table says."""
    item = Image({"id": {"S": "a"}, "expires_at": {"N": "2000"}})
    write = Projection(expiry=Expiry("expires_at")).write("k", Upsert(KEY, VERSION, item), now=2000.0)
    assert write == Write("k", "~v:{k}", VERSION, None)


def test_a_bad_time_to_live_is_noticed_and_not_obeyed() -> None:
    """DynamoDB does not obey it either."""
    item = Image({"id": {"S": "a"}, "expires_at": {"S": "SECRET"}})
    write = Projection(expiry=Expiry("expires_at")).write("k", Upsert(KEY, VERSION, item), now=2000.0)
    assert (write.value is None, write.expires_at_ms) == (False, None)
    assert write.notice == "expires_at: a time to live that is not a number; it does not expire"


def test_removals_by_time_to_live_can_be_kept() -> None:
    """For a cache that remembers what the table forgets."""
    by_ttl = Remove(KEY, VERSION, by_ttl=True)
    assert not Projection().leaves_out(by_ttl)
    keeping = Projection(keep_ttl_removals=True)
    assert keeping.leaves_out(by_ttl)
    assert not keeping.leaves_out(REMOVE)


@pytest.mark.parametrize("error", [ValueError("SECRET"), KeyError("SECRET"), TypeError(), RecursionError()])
def test_an_encoding_that_raises_makes_a_poison_record(error: Exception) -> None:
    """As a key mapping does."""
    with pytest.raises(RecordError, match=f"^the encoding raised {type(error).__name__}$"):
        Projection(encoding=EncodingOf(raises(error))).write("k", UPSERT)


@pytest.mark.parametrize("error", [RecordError("no such tenant"), ConfigurationError("wrong table")])
def test_errors_of_this_library_keep_their_words(error: Exception) -> None:
    """Code of one's own can say what is wrong, and whose fault it is."""
    with pytest.raises(type(error), match=str(error)):
        Projection(raises(error)).cache_key(UPSERT)
    with pytest.raises(type(error), match=str(error)):
        Projection(encoding=EncodingOf(raises(error))).write("k", UPSERT)


def test_a_key_that_can_have_no_guard_makes_a_poison_record() -> None:
    """Of an upsert and of a removal."""
    for change in (UPSERT, REMOVE):
        with pytest.raises(RecordError, match="begins with the guard prefix"):
            Projection().write("~v:a", change)


def test_a_guard_prefix_that_can_not_be_right_is_refused_at_once() -> None:
    """Before any record."""
    with pytest.raises(ConfigurationError, match="guard prefix"):
        Projection(guard_prefix="{v}")


@pytest.mark.parametrize("given", ["json", "jsn", JsonEncoding, 1])
def test_an_encodings_name_or_class_is_no_encoding(given: Any) -> None:
    """A text has a method `encode` as well, which would make every record a poison record."""
    with pytest.raises(ConfigurationError, match=r"encoding is a .*encoding_named"):
        Projection(encoding=given)
