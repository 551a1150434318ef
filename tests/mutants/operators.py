"""Small edits that a program can make: of each place in a source where one can be made, the source with it made.

Comparisons, `and` and `or`, `not`, plus and minus, whole numbers by one, truths, what is returned, calls and raises
that are left out, `break` and `continue`. Left alone: texts, annotations, decorators, what is for type checkers, and
numbers outside functions, which are how much is done at once or how long is waited and promise nobody anything.
"""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

_SWAPS: Final[dict[type[ast.AST], tuple[str, str]]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
}

_Place: TypeAlias = tuple[int, int, str]
"""From which byte to which, and what takes their place."""


class Edit(NamedTuple):
    """An edit of a source."""

    line: int
    """Where it is made; the first is 1."""
    start: int
    """From which byte on."""
    end: int
    text: str
    """What takes the place of those bytes."""
    in_function: bool
    """Whether what it changes runs when a function is called, not when the file is imported."""

    def made(self, source: str) -> str:
        """The source with the edit."""
        whole = source.encode()
        return (whole[: self.start] + self.text.encode() + whole[self.end :]).decode()

    def shown(self, source: str) -> tuple[str, str]:
        """The line before and after, without the space around it."""
        before, after = source.splitlines(), self.made(source).splitlines()
        return before[self.line - 1].strip(), after[self.line - 1].strip()


def edits(source: str) -> Iterator[Edit]:
    """Every edit that the operators make of a source, in the order of its syntax."""
    yield from _Editor(source).visited()


class _Editor:
    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._source = source.encode()
        self._lines = [0]
        for line in self._source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def visited(self) -> Iterator[Edit]:
        yield from self._below(self._tree, in_function=False)

    def _below(self, node: ast.AST, *, in_function: bool) -> Iterator[Edit]:
        if isinstance(node, ast.JoinedStr) or _for_type_checkers(node):
            return
        for start, end, text in (*self._of_operators(node), *self._of_others(node, in_function=in_function)):
            yield Edit(bisect.bisect(self._lines, start), start, end, text, in_function)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            inside = in_function or (name == "body" and isinstance(node, ast.FunctionDef | ast.Lambda))
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._below(child, in_function=inside)

    def _of_operators(self, node: ast.AST) -> Iterator[_Place]:
        match node:
            case ast.Compare():
                operands = [node.left, *node.comparators]
                for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
                    yield from self._between(operator, left, right)
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._between(node.op, left, right)
            case ast.BinOp():
                yield from self._between(node.op, node.left, node.right)
            case ast.AugAssign():
                yield from self._between(node.op, node.target, node.value)
            case ast.UnaryOp(op=ast.Not()):
                start = self._span(node)[0]
                yield start, start + len("not "), ""
            case _:
                pass

    def _of_others(self, node: ast.AST, *, in_function: bool) -> Iterator[_Place]:
        match node:
            case ast.Constant(value=bool()):
                yield *self._span(node), str(not node.value)
            case ast.Constant(value=int(value)) if in_function:
                yield *self._span(node), str(value + 1)
                yield *self._span(node), str(value - 1)
            case ast.Return(value=ast.Constant(value=bool() | None)):
                pass  # a truth is turned round anyway
            case ast.Return(value=ast.expr() as value):
                yield *self._span(value), "None"
            case ast.Expr(value=ast.Call()) | ast.Raise():
                yield *self._span(node), "pass"
            case ast.Break():
                yield *self._span(node), "continue"
            case ast.Continue():
                yield *self._span(node), "break"
            case _:
                pass

    def _between(self, operator: ast.AST, left: ast.expr, right: ast.expr) -> Iterator[_Place]:
        """Of an operator between two operands, maybe with parentheses and lines between."""
        if type(operator) in _SWAPS:
            before, after = _SWAPS[type(operator)]
            start = self._span(left)[1]
            found = re.search(before.encode(), self._source[start : self._span(right)[0]])
            if found is not None:
                yield start + found.start(), start + found.end(), after

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.lineno - 1] + node.col_offset, self._lines[node.end_lineno - 1] + node.end_col_offset


def _for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
