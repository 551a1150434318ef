"""What the keys of a table look like, and where a cache has to be looked through for them. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ddb_cache_sync.core.drops import guarded_key
from ddb_cache_sync.core.layouts import templates_of
from ddb_cache_sync.core.projection import Projection


class KeyForm(NamedTuple):
    """The form of some keys of a table."""

    beginning: str
    """What every key begins with."""
    guard_beginning: str
    """What every guard begins with."""
    guard_prefix: str
    whole: re.Pattern[str]
    """What every key is like."""
    lookup: bool
    """They are lookup keys: their guards do not tell when the stream was applied last."""

    def has(self, key: str) -> bool:
        """Whether a key is of this form."""
        return self.whole.fullmatch(key) is not None

    def key_of(self, guard: str) -> str | None:
        """The key of this form that a guard stands beside; None: it stands beside none."""
        key = guarded_key(guard, self.guard_prefix)
        return key if key is not None and self.has(key) else None


def key_forms(projections: Iterable[Projection], table: str, key_names: Sequence[str]) -> list[KeyForm]:
    """The forms of all keys of these projections, each once.

    Raises:
        ConfigurationError: A key mapping of one's own.
    """
    found: dict[tuple[str, str], KeyForm] = {}
    for projection in projections:
        for place, template in enumerate(templates_of(projection, key_names)):
            beginning, whole = template.beginning_for(table), template.form_for(table)
            guards = f"{projection.guard_prefix}{'' if template.has_hash_tag else '{'}{beginning}"
            form = KeyForm(beginning, guards, projection.guard_prefix, whole, place > 0)
            found.setdefault((projection.guard_prefix, whole.pattern), form)
    return [*found.values()]
