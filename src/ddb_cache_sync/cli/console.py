"""Where output goes: results to stdout, messages to stderr; plain where it is no terminal or `NO_COLOR` is set."""

import json
from functools import lru_cache
from typing import Any

from rich.console import Console


@lru_cache(maxsize=1)
def results() -> Console:
    """The console for results."""
    return Console(highlight=False)


@lru_cache(maxsize=1)
def messages() -> Console:
    """The console for messages and progress."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Write one JSON object as a line of its own, at once."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)  # noqa: T201 - what the command is for
