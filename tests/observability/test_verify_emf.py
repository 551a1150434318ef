"""CloudWatch metrics of samples."""

import json
from typing import Any

import jsonschema
import pytest
from tests.observability.test_emf import SCHEMA

from ddb_cache_sync import ConfigurationError
from ddb_cache_sync.observability.verify_emf import SampleMetrics
from ddb_cache_sync.sync.sampling import KnownDrift, SampleReport
from ddb_cache_sync.sync.verify_report import VerifyReport

VERIFIED = VerifyReport(
    "users", keys=100, lookup_keys=50, cached_keys=90, missing=1, stale=2, orphaned=3, lookups_stale=4, unexplained=3,
    in_flight=5, sampled=True,
)  # fmt: skip


def written(sample: SampleReport) -> dict[str, Any]:
    lines: list[str] = []
    SampleMetrics(service="verify", write=lines.append, clock=lambda: 1_732_550_000.0)(sample)
    [line] = lines
    read: dict[str, Any] = json.loads(line)
    jsonschema.validate(read, SCHEMA)
    return read


def test_a_sample_is_one_line_of_metrics() -> None:
    """Shares in percent, drift by kind, the age of the oldest; no key."""
    line = written(SampleReport(VERIFIED, (KnownDrift("users:42", None, "", 1.0),), 3600.0))
    assert {name: value for name, value in line.items() if name != "_aws"} == {
        "service": "verify",
        "Checked": 150,
        "ShareConsistent": pytest.approx(100 * 143 / 150),
        "ShareConsistentAtLeast": pytest.approx(90.67, abs=0.05),
        "Drift": 10,
        "DriftMissing": 1,
        "DriftStale": 2,
        "DriftOrphaned": 3,
        "DriftLookups": 4,
        "InFlight": 5,
        "KnownDrift": 1,
        "OldestDrift": 3600.0,
    }
    assert "users:42" not in str(line)


def test_what_is_not_known_is_left_out() -> None:
    """The cache does not let us remember."""
    line = written(SampleReport(VERIFIED, None, None))
    assert {"KnownDrift", "OldestDrift"}.isdisjoint(line)
    assert "OldestDrift" not in str(line["_aws"])


def test_a_dimension_can_not_have_a_metrics_name() -> None:
    """One of them would be lost."""
    with pytest.raises(ConfigurationError, match="OldestDrift"):
        SampleMetrics(dimensions={"OldestDrift": "x"})
