"""Encodings by name."""

from typing import Any

import pytest

from ddb_cache_sync import (
    AttributeEncoding,
    ConfigurationError,
    DynamoDBJsonEncoding,
    HashEncoding,
    Image,
    JsonEncoding,
    encoding_named,
)
from ddb_cache_sync.core.encodings.algorithms import algorithm_of

LONG = "x" * 2000
ITEM = Image({"id": {"S": "1"}, "a+b": {"S": LONG}})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("json", JsonEncoding),
        ("dynamodb-json", DynamoDBJsonEncoding),
        ("hash", HashEncoding),
        ("attribute:a", AttributeEncoding),
    ],
)
def test_each_encoding_has_a_name(text: str, kind: type[Any]) -> None:
    """As a setting or an option writes it."""
    assert isinstance(encoding_named(text), kind)


def test_an_attribute_is_named_after_the_colon() -> None:
    """Whatever is in its name; only the endings of compression mean something."""
    assert encoding_named("attribute:a+b").encode(ITEM) == LONG.encode()
    assert encoding_named("attribute:a:b") == AttributeEncoding("a:b")


@pytest.mark.parametrize("text", ["json", "dynamodb-json", "attribute:a+b"])
@pytest.mark.parametrize("algorithm", ["zlib", "zstd"])
def test_an_ending_compresses_it(text: str, algorithm: str) -> None:
    """Read again, it is the same."""
    encoding = encoding_named(f"{text}+{algorithm}")
    value = encoding.encode(ITEM)
    assert isinstance(value, bytes)
    assert algorithm_of(value) == algorithm
    plain = encoding_named(text)
    assert encoding.decode(value) == plain.decode(plain.encode(ITEM) or b"")


@pytest.mark.parametrize(
    "text", ["", "SECRET", "JSON", "json+SECRET", "json+zlib+zlib", "+zlib", "SECRET+zstd", "attribute", "json "]
)
def test_any_other_name_is_refused_with_those_there_are(text: str) -> None:
    """It is not repeated: it may be a password that ended up in the wrong place."""
    with pytest.raises(
        ConfigurationError, match=r"There are json, dynamodb-json, hash and attribute:NAME; (?!.*SECRET)"
    ):
        encoding_named(text)


@pytest.mark.parametrize(
    ("text", "problem"), [("hash+zlib", "a hash can't be compressed"), ("attribute:", "a text that is not empty")]
)
def test_what_can_not_be_combined_is_refused(text: str, problem: str) -> None:
    """In the words of the encoding itself."""
    with pytest.raises(ConfigurationError, match=problem):
        encoding_named(text)
