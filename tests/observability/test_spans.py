"""A span of OpenTelemetry for each batch, by its own SDK."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ddb_cache_sync import ApplyReport, ConfigurationError, Failure, OpenTelemetrySpans, Replicator
from ddb_cache_sync.testing import MemoryCache, stream_record


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> trace.Tracer:
    """A tracer of the SDK's, whose spans end in memory."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("mine")


def test_a_batch_is_one_span_of_a_database_client(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """Named as the semantic conventions for Redis say of commands of a kind that are sent as a pipeline."""
    report = ApplyReport(applied=3, stale=2, filtered=1, lag_seconds=1.5, duration_seconds=0.25)
    OpenTelemetrySpans(tracer)(report)
    [span] = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("PIPELINE EVALSHA", trace.SpanKind.CLIENT)
    assert span.attributes == {
        "db.system.name": "redis",
        "db.operation.name": "PIPELINE EVALSHA",
        "db.operation.batch.size": 6,
        "ddb_cache_sync.applied": 3,
        "ddb_cache_sync.stale": 2,
        "ddb_cache_sync.filtered": 1,
        "ddb_cache_sync.failed": 0,
        "ddb_cache_sync.quarantined": 0,
        "ddb_cache_sync.lag_seconds": 1.5,
    }
    assert span.status.status_code is trace.StatusCode.UNSET


def test_a_single_record_is_no_batch(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """The conventions leave the size out then. A lag that is not known is left out too."""
    OpenTelemetrySpans(tracer)(ApplyReport(applied=1))
    [span] = exporter.get_finished_spans()
    assert span.name == "EVALSHA"
    assert span.attributes is not None
    assert span.attributes["db.operation.name"] == "EVALSHA"
    assert not {"db.operation.batch.size", "ddb_cache_sync.lag_seconds", "error.type"} & span.attributes.keys()


def test_a_span_lasts_as_long_as_its_batch(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """It ends now, and began that long ago; a duration that is not known makes a span without any."""
    spans = OpenTelemetrySpans(tracer, clock=lambda: 1_745_415_437.5)
    spans(ApplyReport(applied=1, duration_seconds=0.25))
    spans(ApplyReport(applied=1))
    assert [(span.start_time, span.end_time) for span in exporter.get_finished_spans()] == [
        (1_745_415_437_250_000_000, 1_745_415_437_500_000_000),
        (1_745_415_437_500_000_000, 1_745_415_437_500_000_000),
    ]


def test_a_batch_in_which_records_failed_is_an_error(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """It says how many, and not why: a reason belongs to the log."""
    OpenTelemetrySpans(tracer)(ApplyReport(applied=1, failures=(Failure("7", "SECRET"), Failure("8", "SECRET"))))
    [span] = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "2 of 3 records failed")
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.attributes["ddb_cache_sync.failed"]) == ("poison_record", 2)
    assert "SECRET" not in span.to_json()


def test_a_span_stands_below_the_current_one(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """That of the invocation, where a function is traced."""
    replicator = Replicator(MemoryCache(), on_report=OpenTelemetrySpans(tracer))
    with tracer.start_as_current_span("invocation") as invocation:
        replicator.apply([stream_record({"id": "SECRET"}, {"id": "SECRET"})])
    batch, _ = exporter.get_finished_spans()
    assert batch.parent is not None
    assert batch.parent.span_id == invocation.get_span_context().span_id
    assert "SECRET" not in batch.to_json()


def test_without_a_tracer_the_global_one_is_used(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the library's name."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    OpenTelemetrySpans()(ApplyReport(applied=1))
    [span] = exporter.get_finished_spans()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "ddb_cache_sync"


def test_without_a_provider_nothing_happens() -> None:
    """As OpenTelemetry has it: the API alone drops every span."""
    OpenTelemetrySpans(trace.NoOpTracer())(ApplyReport(applied=1))


def test_without_opentelemetry_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the hook is made, not with the first batch."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"not installed\. Install it with .*ddb-cache-sync\[otel\]"):
        OpenTelemetrySpans()
