"""Commands whose help shows a flag as a flag: some versions of typer put `<bool>` beside it, as if it took a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable


class PlainCommand(TyperCommand):
    """A command with such help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return _plain(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group of commands with such help of its own."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return _plain(super().get_params(ctx))


def _plain(parameters: Iterable[Any]) -> list[Any]:
    found = [*parameters]
    for each in found:
        if getattr(each, "is_flag", False):
            each.metavar = ""
    return found
