"""The Lambda side, up to where the cache begins."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from ddb_cache_sync import (
    BothLayouts,
    ConfigurationError,
    EmfMetrics,
    FolderQuarantine,
    KeyTemplate,
    OpenTelemetrySpans,
    Projection,
    RecordError,
    Replicator,
    ReportLog,
    apply_stream_event,
    aws_lambda,
)
from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.observability.report_log import REPORT_LOGGER
from ddb_cache_sync.settings import PREFIX, HookName, Settings
from ddb_cache_sync.testing import MemoryCache, stream_event, stream_record


class Context:
    """The part of Lambda's context that is used."""

    def __init__(self, remaining_ms: int = 30_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's time-out."""
        return self.remaining_ms


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without settings, and no replicator from an earlier one."""
    for name in [PREFIX + "REDIS_URL", PREFIX + "KEY_TEMPLATE", PREFIX + "METRICS"]:
        monkeypatch.delenv(name, raising=False)
    aws_lambda._from_environment.cache_clear()
    yield
    aws_lambda._from_environment.cache_clear()


@pytest.mark.parametrize("source", ["event", "list"])
def test_an_event_is_applied_and_answered(source: str) -> None:
    """In the form that Lambda expects of a function that reports batch item failures."""
    cache = MemoryCache()
    both = [stream_record({"id": name}, {"id": name}, sequence_number=at) for at, name in enumerate("ab", start=1)]
    event = stream_event(both) if source == "event" else both
    assert apply_stream_event(event, Replicator(cache), context=Context()) == {"batchItemFailures": []}
    assert dict(cache.values) == {"T:a": b'{"id":"a"}', "T:b": b'{"id":"b"}'}


def test_a_poison_record_is_answered_and_all_others_are_applied() -> None:
    """The lowest one, by its value."""
    cache = MemoryCache()
    poison = [stream_record({"id": str(number)}, {"n": 1}, sequence_number=number) for number in (10, 9)]
    for each in poison:
        each["dynamodb"]["NewImage"] = {"n": {"N": "SECRET"}}
    event = stream_event([*poison, stream_record({"id": "a"}, {"id": "a"}, sequence_number=11)])
    assert apply_stream_event(event, Replicator(cache)) == {"batchItemFailures": [{"itemIdentifier": "9"}]}
    assert dict(cache.values) == {"T:a": b'{"id":"a"}'}


def test_a_poison_record_is_logged_without_its_contents(caplog: pytest.LogCaptureFixture) -> None:
    """Sequence number and field are enough to find it."""
    poison = stream_record({"id": "SECRET"}, {"id": "SECRET"}, sequence_number=7)
    poison["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    apply_stream_event([poison], Replicator(MemoryCache()))
    assert "record 7 can't be applied: dynamodb.NewImage.n: not a decimal number" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    "event", [None, {}, "SECRET", {"Records": None}, {"detail": "SECRET"}, 1, {"Records": "SECRET"}]
)
def test_garbage_is_refused_and_not_counted_as_done(event: Any) -> None:
    """Answering an empty list would tell Lambda that all is well."""
    with pytest.raises(RecordError, match=r"^not a DynamoDB Streams event(?!.*SECRET)"):
        apply_stream_event(event, Replicator(MemoryCache()))


def test_a_poison_record_without_a_sequence_number_fails_the_batch() -> None:
    """Lambda could not be told which one it is."""
    with pytest.raises(RecordError, match=r"^Records\[1\]: .*no sequence number"):
        apply_stream_event([stream_record({"id": "a"}, {"id": "a"}), {}], Replicator(MemoryCache()))


@pytest.mark.usefixtures("no_settings")
def test_without_a_replicator_and_settings_the_error_says_what_to_set() -> None:
    """Of the ready-made handler as well."""
    problem = r"DDB_CACHE_SYNC_REDIS_URL is not set\. Set it"
    with pytest.raises(ConfigurationError, match=problem):
        apply_stream_event(stream_event([]))
    with pytest.raises(ConfigurationError, match=problem):
        aws_lambda.handler(stream_event([]), Context())


@pytest.mark.usefixtures("no_settings")
def test_the_environment_is_read_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection outlives one invocation."""
    monkeypatch.setenv(PREFIX + "REDIS_URL", "redis://localhost:1")
    monkeypatch.setenv(PREFIX + "KEY_TEMPLATE", "users:{id}")
    first, margin_ms = aws_lambda._from_environment()
    monkeypatch.setenv(PREFIX + "REDIS_URL", "redis://localhost:2")
    assert aws_lambda._from_environment()[0] is first
    assert margin_ms == 1000


@pytest.fixture
def new_process(no_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no batch had come yet."""
    monkeypatch.setattr(aws_lambda, "_looked", threading.Event())


VAIN = ("DEADLINE_MARGIN_MS", "METRICS", "NEW_LAYOUT", "QUARANTINE", "STREAM_LABEL")


@pytest.mark.usefixtures("new_process")
def test_settings_beside_a_replicator_of_ones_own_are_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By name: nobody would notice otherwise that poison records are not set aside, and a value may be secret."""
    for name in VAIN:
        monkeypatch.setenv(PREFIX + name, "SECRET")
    for _ in range(2):
        apply_stream_event(stream_event([]), Replicator(MemoryCache()))
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"was given a replicator: {', '.join(PREFIX + name for name in VAIN)}. " in record.getMessage()
    assert "SECRET" not in caplog.text


@pytest.mark.usefixtures("new_process")
def test_a_handler_that_reads_settings_by_itself_is_not_warned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Its replicator has what they say, or nobody can tell; an empty variable counts as unset."""
    for name in (*VAIN[1:], "REDIS_URL", "KEY_TEMPLATE", "GUARD_TTL_SECONDS", "CONFIG"):
        monkeypatch.setenv(PREFIX + name, "x")
    monkeypatch.setenv(PREFIX + VAIN[0], "")
    layouts = BothLayouts(Projection(KeyTemplate("a:{id}")), Projection(KeyTemplate("b:{id}")))
    replicator = Replicator(
        MemoryCache(),
        layouts,
        stream_label="2025-04-23T13:37:16.991",
        on_report=ReportLog(),
        quarantine=FolderQuarantine(tmp_path),
    )
    apply_stream_event(stream_event([]), replicator)
    assert not caplog.records


@pytest.mark.usefixtures("new_process")
def test_only_what_the_replicator_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Each by itself."""
    monkeypatch.setenv(PREFIX + "QUARANTINE", "folder")
    monkeypatch.setenv(PREFIX + "METRICS", "emf")
    apply_stream_event(stream_event([]), Replicator(MemoryCache(), quarantine=FolderQuarantine(tmp_path)))
    [record] = caplog.records
    assert f"replicator: {PREFIX}METRICS. " in record.getMessage()


@pytest.fixture
def in_memory(no_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A cache in memory wherever settings ask for one; gives the logger of reports, as it is in a new process."""
    monkeypatch.setattr(
        Settings, "replicator", lambda self, hooks=(), _=None: Replicator(MemoryCache(), on_report=hooks)
    )
    logger = logging.getLogger(REPORT_LOGGER)
    monkeypatch.delenv("AWS_LAMBDA_LOG_LEVEL", raising=False)
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    yield logger
    logger.setLevel(logging.NOTSET)


EVENT = stream_event([stream_record({"id": "a"}, {"id": "a"})])


@pytest.mark.usefixtures("in_memory")
def test_the_ready_made_handler_reports_nothing_unless_asked(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics cost money."""
    aws_lambda.handler(EVENT, Context())
    assert capsys.readouterr() == ("", "")
    assert caplog.text == ""


@pytest.mark.usefixtures("in_memory")
def test_the_environment_names_the_hooks_of_the_ready_made_handler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Several at once. The log is seen though the root logger is at WARNING, as it is in Lambda's text format."""
    monkeypatch.setenv(PREFIX + "METRICS", "log,emf,otel")
    aws_lambda.handler(EVENT, Context())
    assert json.loads(capsys.readouterr().out)["Applied"] == 1
    assert [message.partition(":")[0] for message in caplog.messages] == ["batch applied"]


def test_a_log_level_that_lambda_was_given_is_kept(
    in_memory: logging.Logger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the JSON log format: Lambda has set the root logger to it."""
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "WARN")
    monkeypatch.setenv(PREFIX + "METRICS", "log")
    aws_lambda.handler(EVENT, Context())
    assert in_memory.level == logging.NOTSET
    assert caplog.text == ""


@pytest.mark.usefixtures("in_memory")
def test_every_name_of_a_hook_stands_for_one() -> None:
    """The settings accept no other."""
    made = [type(aws_lambda._hook(name)) for name in get_args(HookName)]
    assert made == [ReportLog, EmfMetrics, OpenTelemetrySpans]


@pytest.mark.parametrize(("remaining_ms", "seconds"), [(30_000, 29.0), (2_000, 1.0), (1_000, 0.5), (200, 0.1)])
def test_a_failing_cache_is_given_up_before_the_time_out(remaining_ms: int, seconds: float) -> None:
    """A second before it, or at half of what remains where that is less: a healthy cache always has time to answer."""
    deadlines = []

    class Watched(MemoryCache):
        def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
            deadlines.append(deadline)
            return super().apply(writes, deadline)

    before = time.monotonic()
    event = stream_event([stream_record({"id": "a"}, {"id": "a"})])
    assert apply_stream_event(event, Replicator(Watched()), context=Context(remaining_ms)) == {"batchItemFailures": []}
    [deadline] = deadlines
    assert deadline is not None
    assert before + seconds <= deadline <= time.monotonic() + seconds


def test_a_verification_that_would_not_end_in_time_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one of no table: in the log is what to do."""
    for name, value in {"REDIS_URL": "redis://127.0.0.1:1", "VERIFY_TABLE": "users", "VERIFY_LOOKS": "1,50"}.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    try:
        with pytest.raises(ConfigurationError, match=r"ends in 30 s, and its last look is 50 s after.*VERIFY_LOOKS"):
            aws_lambda.verify_handler({}, Context(30_000))
        aws_lambda._verification.cache_clear()
        monkeypatch.delenv(PREFIX + "VERIFY_TABLE")
        with pytest.raises(ConfigurationError, match="DDB_CACHE_SYNC_VERIFY_TABLE"):
            aws_lambda.verify_handler({}, Context(30_000))
    finally:
        aws_lambda._verification.cache_clear()


def test_the_handler_of_the_stream_loads_nothing_of_a_verification() -> None:
    """Cold start is part of the product."""
    program = "import ddb_cache_sync.aws_lambda, sys; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "ddb_cache_sync.sync.replicator" in loaded
    assert not {"ddb_cache_sync.sync.verify", "ddb_cache_sync.sync.sampling", "sqlite3"} & {*loaded}
