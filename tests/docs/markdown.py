"""What the tests read of the project's Markdown: blocks of code with their markers, tables, links, headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_BLOCK: Final = re.compile(
    r"(?:^<!-- (?P<marker>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE_SPAN: Final = re.compile(r"`([^`]*)`")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    marker: str | None
    """The HTML comment on the line before it; None where there is none."""
    code: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(match["language"], match["marker"], match["code"]) for match in _BLOCK.finditer(text)]


def marked(page: Path, marker: str) -> str:
    """The code of the one block with this marker."""
    [code] = [block.code for block in blocks(page) if block.marker == marker]
    return code


def rows(page: Path, first_column: str) -> list[list[str]]:
    """The rows, heading left out, of the table whose first column has this heading."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def code_span(cell: str) -> str:
    """What the first code span of a cell says."""
    match = _CODE_SPAN.search(cell)
    assert match is not None, cell
    return match[1]


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links, code left out."""
    text = _CODE_SPAN.sub("", _BLOCK.sub("", page.read_text(encoding="utf-8")))
    yield from _LINK.findall(text)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
