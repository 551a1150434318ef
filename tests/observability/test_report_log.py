"""A log line for each batch."""

import json
import logging

import pytest

from ddb_cache_sync import ApplyReport, Failure, Replicator, ReportLog
from ddb_cache_sync.testing import MemoryCache, stream_record

REPORT = ApplyReport(
    applied=3,
    stale=2,
    filtered=1,
    failures=(Failure("7", "SECRET"),),
    lag_seconds=1.23456,
    duration_seconds=0.0123456,
    quarantined=(Failure("8", "SECRET"),),
)
FIGURES = {
    "applied": 3,
    "stale": 2,
    "filtered": 1,
    "failed": 1,
    "quarantined": 1,
    "records": 8,
    "lag_seconds": 1.235,
    "duration_ms": 12.346,
}


class Members(logging.Formatter):
    """What formatters for JSON do, Lambda's among them: each attribute that a plain record has not is a member."""

    plain = frozenset(vars(logging.makeLogRecord({})))

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        more = {name: value for name, value in vars(record).items() if name not in self.plain}
        return json.dumps({"level": record.levelname, "message": record.getMessage(), **more})


def test_a_report_is_one_line_of_plain_text(caplog: pytest.LogCaptureFixture) -> None:
    """With all figures in it."""
    with caplog.at_level(logging.INFO):
        ReportLog()(REPORT)
    figures = "applied=3 stale=2 filtered=1 failed=1 quarantined=1 records=8 lag_seconds=1.235 duration_ms=12.346"
    assert caplog.messages == [f"batch applied: {figures}"]
    assert [(each.name, each.levelno) for each in caplog.records] == [("ddb_cache_sync.reports", logging.INFO)]


def test_each_figure_is_a_member_where_logs_are_json(caplog: pytest.LogCaptureFixture) -> None:
    """So that it can be queried, and no attribute of a log record is overwritten."""
    caplog.handler.setFormatter(Members())
    with caplog.at_level(logging.INFO):
        ReportLog()(REPORT)
    line = json.loads(caplog.text)
    assert {name: line[name] for name in FIGURES} == FIGURES
    assert line.keys() - FIGURES.keys() == {"level", "message"}


def test_a_figure_that_is_not_known_is_left_out_of_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """As a member it is null."""
    caplog.handler.setFormatter(Members())
    with caplog.at_level(logging.INFO):
        ReportLog()(ApplyReport(applied=1))
    line = json.loads(caplog.text)
    assert line["message"] == "batch applied: applied=1 stale=0 filtered=0 failed=0 quarantined=0 records=1"
    assert (line["lag_seconds"], line["duration_ms"]) == (None, None)


def test_logger_and_level_can_be_chosen(caplog: pytest.LogCaptureFixture) -> None:
    """A level that is switched off costs nothing."""
    mine = logging.getLogger("mine")
    log = ReportLog(mine, level=logging.DEBUG)
    with caplog.at_level(logging.INFO, logger="mine"):
        log(REPORT)
    assert caplog.records == []
    with caplog.at_level(logging.DEBUG, logger="mine"):
        log(REPORT)
    assert [(each.name, each.levelno) for each in caplog.records] == [("mine", logging.DEBUG)]


def test_the_line_holds_no_contents_and_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """Not even of a record that failed."""
    poison = stream_record({"id": "SECRET"}, {"id": "SECRET"}, sequence_number=2)
    poison["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    caplog.handler.setFormatter(Members())
    with caplog.at_level(logging.INFO):
        Replicator(MemoryCache(), on_report=ReportLog()).apply(
            [stream_record({"id": "SECRET"}, {"id": "SECRET"}), poison]
        )
    assert json.loads(caplog.text)["failed"] == 1
    assert "SECRET" not in caplog.text
