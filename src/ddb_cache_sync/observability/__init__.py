"""Hooks for `Replicator(on_report=...)`: a log line, CloudWatch metrics, a span for each batch."""

from ddb_cache_sync.observability.emf import EmfMetrics
from ddb_cache_sync.observability.report_log import ReportLog
from ddb_cache_sync.observability.spans import OpenTelemetrySpans

__all__ = ["EmfMetrics", "OpenTelemetrySpans", "ReportLog"]
