"""All that is fed with made-up input: each target takes a `random.Random`, and an error that it lets out is a defect."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tests.fuzz import inputs, items
from tests.fuzz.given_up import given_up

Target: TypeAlias = Callable[[random.Random], None]

TARGETS: Final[Mapping[str, tuple[Target, int]]] = {
    "values": (items.values, 25),
    "events": (items.events, 20),
    "kinesis": (items.kinesis, 8),
    "decoding": (items.decoding, 12),
    "reading": (items.reading, 10),
    "config": (inputs.config, 6),
    "environment": (inputs.environment, 4),
    "addresses": (inputs.addresses, 4),
    "templates": (inputs.templates, 4),
    "names": (inputs.names, 4),
    "given_up": (given_up, 5),
    "files": (inputs.files, 5),
    "command_line": (inputs.command_line, 1),
}
"""By name: the target, and how many of a hundred inputs or so go to it."""
