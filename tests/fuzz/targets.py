"""All that is fed with made-up input. A target takes a `random.Random`; an error that it lets out is a defect."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tests.fuzz import configuring, items
from tests.fuzz.command_line import command_line
from tests.fuzz.files import files
from tests.fuzz.given_up import given_up

Target: TypeAlias = Callable[[random.Random], None]

TARGETS: Final[Mapping[str, tuple[Target, int]]] = {
    "values": (items.values, 25),
    "events": (items.events, 20),
    "kinesis": (items.kinesis, 8),
    "decoding": (items.decoding, 12),
    "reading": (items.reading, 10),
    "config": (configuring.config, 6),
    "environment": (configuring.environment, 4),
    "addresses": (configuring.addresses, 4),
    "templates": (configuring.templates, 4),
    "names": (configuring.names, 4),
    "given_up": (given_up, 5),
    "files": (files, 5),
    "command_line": (command_line, 1),
}
"""By name: the target, and how many of a hundred inputs or so go to it."""
