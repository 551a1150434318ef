import pytest

from ddb_cache_sync.core.lookup_words import LastWord, parse_words


def test_the_words_of_a_guard_are_read_whatever_the_items_are_called() -> None:
    """Lengths count bytes, and names may hold what parts the words."""
    claim, release, expires = "+~|1745415436991:02:12", "-001745415436991|1745415436991:02:11:1", "+000000000090000|1:1"
    text = "".join(f"{len(part.encode())}:{part}" for part in ("users:é|+1", claim, "u:2", release, "u:3", expires))
    assert parse_words(text.encode()) == {
        "users:é|+1": LastWord("1745415436991:02:12", claims=True),
        "u:2": LastWord("1745415436991:02:11:1", claims=False),
        "u:3": LastWord("1:1", claims=True, expires_at_ms=90_000),
    }
    assert parse_words(b"") == {}


@pytest.mark.parametrize("text", [b"x", b"1:a", b"1:a9:+~|1", b"1:a3:x|1", b"1:a0:", b"1:\xff3:+|1", b":a"])
def test_what_the_script_did_not_write_is_refused(text: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError):  # noqa: PT011 - any
        parse_words(text)


def test_a_claim_that_has_expired_is_none_any_more() -> None:
    """Its item counts as gone."""
    assert LastWord("", claims=True, expires_at_ms=90_000).claims_at(89)
    assert not LastWord("", claims=True, expires_at_ms=90_000).claims_at(90)
    assert LastWord("", claims=True).claims_at(1e12)
    assert not LastWord("", claims=False).claims_at(0)
