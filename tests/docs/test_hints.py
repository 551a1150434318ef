import ast
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))


def ending(node: ast.expr) -> str | None:
    """How a text ends; None where it can't be known."""
    match node:
        case ast.Constant(value=str(text)):
            return text[-1]
        case ast.JoinedStr(values=[*_, last]):
            return ending(last)
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_hint_is_a_sentence(path: Path) -> None:
    """Errors read "problem. Hint.", so a hint ends with a full stop, or a question mark, and a problem without."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for hint in node.keywords if isinstance(node, ast.Call) else ():
            if hint.arg == "hint":
                assert isinstance(node, ast.Call)
                assert ending(hint.value) in (None, ".", "?"), ast.unparse(hint)
                assert [ending(each) for each in node.args[:1]] not in (["."], ["?"]), ast.unparse(node)
