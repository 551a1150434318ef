"""A log line for each batch.

Rule: the figures stand in the message, for plain text, and are fields of the log record, for JSON. Neither holds an
item's contents or a key.
"""

import logging
from typing import Final

from ddb_cache_sync.core.outcomes import ApplyReport

REPORT_LOGGER: Final = "ddb_cache_sync.reports"
"""The name of the logger of reports: below `ddb_cache_sync`, so that it can be given a level of its own."""


class ReportLog:
    """Logs one line for each report: `batch applied: applied=3 stale=1 ...`.

    The figures are `applied`, `stale`, `filtered`, `failed`, `quarantined`, `records`, `lag_seconds` and `duration_ms`;
    each is an attribute of the log record too (`extra`), which formatters that write JSON turn into a member, Lambda's
    among them. A figure that is not known is None there, and left out of the message.

    Args:
        logger: Where to. None: the logger `ddb_cache_sync.reports`.
        level: Of each line. Failed records don't raise it: `apply_stream_event` logs each as an error.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO) -> None:
        self._logger = logging.getLogger(REPORT_LOGGER) if logger is None else logger
        self._level = level

    def __call__(self, report: ApplyReport) -> None:
        """Log a report."""
        if not self._logger.isEnabledFor(self._level):
            return
        seconds = report.duration_seconds
        figures: dict[str, float | None] = {
            "applied": report.applied,
            "stale": report.stale,
            "filtered": report.filtered,
            "failed": report.failed,
            "quarantined": len(report.quarantined),
            "records": report.records,
            "lag_seconds": None if report.lag_seconds is None else round(report.lag_seconds, 3),
            "duration_ms": None if seconds is None else round(seconds * 1000, 3),
        }
        text = " ".join(f"{name}={figure}" for name, figure in figures.items() if figure is not None)
        self._logger.log(self._level, "batch applied: %s", text, extra=figures)
