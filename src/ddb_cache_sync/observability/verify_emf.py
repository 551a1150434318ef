"""CloudWatch metrics of samples, in the embedded metric format: a JSON line on stdout for each."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.observability.emf import DEFAULT_NAMESPACE, EmfLines, Metric, to_stdout

if TYPE_CHECKING:
    from ddb_cache_sync.sync.sampling import SampleReport

SAMPLE_METRICS: Final[tuple[Metric["SampleReport"], ...]] = (
    Metric("Checked", "Count", lambda sample: sample.verified.checked),
    Metric("ShareConsistent", "Percent", lambda sample: 100 * sample.verified.share_consistent),
    Metric("ShareConsistentAtLeast", "Percent", lambda sample: 100 * sample.verified.interval[0]),
    Metric("Drift", "Count", lambda sample: sample.verified.drift),
    Metric("DriftMissing", "Count", lambda sample: sample.verified.missing),
    Metric("DriftStale", "Count", lambda sample: sample.verified.stale),
    Metric("DriftOrphaned", "Count", lambda sample: sample.verified.orphaned),
    Metric(
        "DriftLookups",
        "Count",
        lambda sample: (
            sample.verified.lookups_missing + sample.verified.lookups_stale + sample.verified.lookups_orphaned
        ),
    ),
    Metric("InFlight", "Count", lambda sample: sample.verified.in_flight),
    Metric("KnownDrift", "Count", lambda sample: None if sample.known is None else len(sample.known)),
    Metric("OldestDrift", "Seconds", lambda sample: sample.oldest_seconds),
)


class SampleMetrics(EmfLines["SampleReport"]):
    """Writes one line of embedded metrics for each sample; arguments and errors are those of `EmfMetrics`."""

    def __init__(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        service: str | None = None,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] = to_stdout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(SAMPLE_METRICS, namespace, service=service, dimensions=dimensions, write=write, clock=clock)
