"""Mutants made by hand: each breaks one rule, and names the tests of which one must notice."""

from __future__ import annotations

from typing import Final

from tests.mutants.in_core import IN_CORE
from tests.mutants.in_repairs import IN_REPAIRS
from tests.mutants.in_scripts import IN_SCRIPTS
from tests.mutants.in_shell import IN_SHELL
from tests.mutants.in_sync import IN_SYNC

HAND_MADE: Final = (*IN_SCRIPTS, *IN_CORE, *IN_SHELL, *IN_SYNC, *IN_REPAIRS)
