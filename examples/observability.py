"""Every hook at once, on a cache in memory: `python examples/observability.py`.

Needs `pip install 'ddb-cache-sync[otel]'`. Stdout has the line of CloudWatch metrics, stderr the log line and the
hook of one's own; the spans go wherever OpenTelemetry was told to send them, which is nowhere here.
"""

import logging
import sys

from ddb_cache_sync import ApplyReport, EmfMetrics, OpenTelemetrySpans, Replicator, ReportLog
from ddb_cache_sync.testing import MemoryCache, MemoryTable


def count_failures(report: ApplyReport) -> None:
    print(f"{report.failed} of {report.records} records failed", file=sys.stderr)


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
replicator = Replicator(
    MemoryCache(),  # yours: connect("rediss://my-cache.example.com:6379")
    on_report=[
        ReportLog(),
        EmfMetrics(namespace="Shop", service="users-cache", dimensions={"stage": "prod"}),
        OpenTelemetrySpans(),
        count_failures,
    ],
)

table = MemoryTable(name="users")
table.put({"id": "42", "name": "Zoe"})
table.put({"id": "42", "name": "Zoë"})
replicator.apply(table.records)
