"""Every page: its links lead somewhere, and its code is run or says why not."""

from pathlib import Path

import pytest
from tests.docs.markdown import PAGES, ROOT, anchors, blocks, links

RUN = {"run", "demo line", "test line", "example: handler"}
"""Markers of what some test, or .ci/run, runs."""
RUN_KINDS = ("run: ", "file: ")
ALL_IS_RUN = {ROOT / "docs" / "how-to" / "test-your-handler.md"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """The file exists, and has the heading."""
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_of_code_is_run_or_says_why_not(page: Path) -> None:
    """By its marker; plain text is no code."""
    for block in blocks(page):
        if block.language == "text" or page in ALL_IS_RUN:
            continue
        marker = block.marker or ""
        assert marker in RUN or marker.startswith((*RUN_KINDS, "not run: ")), block.code
        assert marker != "not run: "


def test_the_index_leads_to_every_page_of_the_documentation() -> None:
    """Nothing is written and then not found."""
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert {page for page in PAGES if page.is_relative_to(index.parent)} - linked == {index}


def test_the_navigation_has_every_page() -> None:
    """MkDocs would leave out the others."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        if page.is_relative_to(ROOT / "docs"):
            assert f": {page.relative_to(ROOT / 'docs').as_posix()}\n" in config
