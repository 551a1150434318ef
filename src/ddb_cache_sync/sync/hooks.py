"""Hooks: what is called with the report of each batch.

Rule: when a hook is called its batch has been applied, so a hook that fails fails nothing else. Raising would make
Lambda deliver an applied batch again, until it is given up. Its failure is logged, and the next hook is called.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.errors import ConfigurationError

ReportHook: TypeAlias = Callable[[ApplyReport], object]
"""Called with the report of each batch; what it returns is not looked at."""

_LOG: Final = logging.getLogger("ddb_cache_sync")


def report_hooks(given: Any) -> tuple[ReportHook, ...]:
    """The hooks, in order, of what was given as one (a callable), several (a sequence) or none (None).

    Raises:
        ConfigurationError: Something that can't be called.
    """
    if given is None:
        return ()
    if callable(given):
        return (given,)
    if isinstance(given, Sequence):
        wrong = [type(each).__name__ for each in given if not callable(each)]
        if not wrong:
            return tuple(given)
        problem = f"on_report has a {wrong[0]} in it"
    else:
        problem = f"on_report is a {type(given).__name__}"
    raise ConfigurationError(problem, hint="Give a callable that takes an ApplyReport, or a list of such.")


def tell(hooks: Iterable[ReportHook], report: ApplyReport) -> None:
    """Call each hook with a report, whatever the others do."""
    for hook in hooks:
        try:
            hook(report)
        except Exception as error:  # noqa: BLE001 - a hook is anybody's code
            name = getattr(hook, "__qualname__", type(hook).__qualname__)
            # The type alone: what the exception says, or its traceback shows, is anybody's text.
            _LOG.error("the report hook %s raised %s", name, type(error).__qualname__)
