"""The page on consistency names tests that exist, and numbers that are the code's."""

import re

import pytest
from tests.docs.markdown import ROOT, rows

from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS, guard_key
from ddb_cache_sync.core.versions import Version, parse_stream_label

PAGE = ROOT / "docs" / "consistency-model.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", [*rows(PAGE, "guarantee"), *rows(PAGE, "defect")], ids=lambda row: row[0][:40])
def test_each_guarantee_is_checked_by_tests_that_exist(row: list[str]) -> None:
    """File and name."""
    tests = re.findall(r"`(tests/\S+?)::(\w+)`", row[-1])
    assert tests
    for path, name in tests:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_readme_promises_nothing_that_the_page_does_not() -> None:
    """Its table is part of the page's, word for word."""
    promised = [row[:3] for row in rows(PAGE, "guarantee")]
    for row in rows(ROOT / "README.md", "guarantee"):
        assert row in [[promise, meaning, re.sub(r" \(\[.*\)\)", "", why)] for promise, meaning, why in promised]


def test_the_version_shown_is_one() -> None:
    """Built from the stream label and the sequence number that the documentation uses throughout."""
    version = Version.of(parse_stream_label("2025-04-23T13:37:16.991"), "202328600001712385967261751")
    assert f"`{version}`" in TEXT
    assert Version.parse(version) == version
    assert f"`{guard_key('users:42')}`" in TEXT


def test_a_guard_lives_as_long_as_the_page_says() -> None:
    """In hours."""
    assert f"A guard lives {DEFAULT_GUARD_TTL_SECONDS // 3600} h after" in TEXT
