"""CloudWatch metrics in the embedded metric format (EMF): a JSON line on stdout for each batch.

CloudWatch Logs makes metrics of such a line: no call to AWS, no permission, no time of the function. A line that is
not exactly right makes no metric and no error, so everything that can be wrong is refused when the hook is made.

Source of the format and its bounds: "Specification: Embedded metric format" and `Dimension`, `MetricDatum` of the API
reference, both of Amazon CloudWatch.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.errors import ConfigurationError

DEFAULT_SERVICE: Final = "ddb-cache-sync"
MAX_DIMENSIONS: Final = 30
"""Of one metric, `service` included."""
MAX_NAME_LENGTH: Final = 250
"""Of a dimension's name; the format allows five characters less than the API."""

_NAMESPACE: Final = re.compile(r"(?!:)(?=.*[^ ])[0-9A-Za-z._/#: -]{1,255}")
_NAME: Final = re.compile(rf"(?!:)(?=.*[^ ])[ -~]{{1,{MAX_NAME_LENGTH}}}")
_VALUE: Final = re.compile(r"(?=.*[^ ])[ -~]{1,1024}")


class Metric(NamedTuple):
    """A metric, and where its value comes from."""

    name: str
    unit: str
    """As CloudWatch names it."""
    value: Callable[[ApplyReport], float | None]
    """None where it isn't known: the metric is then left out."""


METRICS: Final = (
    Metric("Records", "Count", lambda report: report.records),
    Metric("Applied", "Count", lambda report: report.applied),
    Metric("Stale", "Count", lambda report: report.stale),
    Metric("Filtered", "Count", lambda report: report.filtered),
    Metric("Failed", "Count", lambda report: report.failed),
    Metric("Lag", "Seconds", lambda report: report.lag_seconds),
    Metric(
        "Duration",
        "Milliseconds",
        lambda report: None if report.duration_seconds is None else report.duration_seconds * 1000,
    ),
)

_TAKEN: Final = {"_aws", "service", *(metric.name for metric in METRICS)}
"""Members that each line has already."""


def _to_stdout(line: str) -> None:
    # One call, where print would make two: the lines of two threads never mix.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class EmfMetrics:
    """Writes one line of embedded metrics for each report.

    Args:
        namespace: The metrics' namespace in CloudWatch.
        service: The dimension `service`. None: `POWERTOOLS_SERVICE_NAME` of the environment, or else
            `AWS_LAMBDA_FUNCTION_NAME`, or else `ddb-cache-sync`.
        dimensions: More dimensions, by name. CloudWatch keeps, and charges for, a metric for each combination of
            values: give what is the same for the whole process, such as a stage.
        write: Called with each line, without line feed. Default: writes it to stdout, where Lambda reads it.
        clock: Epoch seconds; for the lines' timestamps.

    Raises:
        ConfigurationError: A name or value that CloudWatch would not take.
    """

    def __init__(
        self,
        namespace: str = "DdbCacheSync",
        *,
        service: str | None = None,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] = _to_stdout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationError(
                "not a namespace of CloudWatch metrics",
                hint="Use 1 to 255 letters, digits, spaces and . - _ / # :, no colon first.",
            )
        if service is None:
            named = os.environ.get("POWERTOOLS_SERVICE_NAME") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
            service = named or DEFAULT_SERVICE
        more = dict(dimensions or {})
        taken = sorted(_TAKEN & more.keys())
        if taken:
            raise ConfigurationError(
                f"the name {taken[0]!r} can't be given to a dimension",
                hint="Name it differently; a service is given as service=...",
            )
        self._namespace = namespace
        self._dimensions = {"service": service, **more}
        _check(self._dimensions)
        self._write = write
        self._clock = clock

    def __call__(self, report: ApplyReport) -> None:
        """Write the line of a report."""
        values = {metric.name: metric.value(report) for metric in METRICS}
        known = {name: value for name, value in values.items() if value is not None}
        line: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(self._clock() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": [[*self._dimensions]],
                        "Metrics": [{"Name": each.name, "Unit": each.unit} for each in METRICS if each.name in known],
                    }
                ],
            },
            **self._dimensions,
            **known,
        }
        self._write(orjson.dumps(line).decode())


def _check(dimensions: Mapping[Any, Any]) -> None:
    if len(dimensions) > MAX_DIMENSIONS:
        raise ConfigurationError(
            f"{len(dimensions)} dimensions", hint=f"CloudWatch takes {MAX_DIMENSIONS}, the service included."
        )
    for name, value in dimensions.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                "a dimension's name can't be right",
                hint=f"Use 1 to {MAX_NAME_LENGTH} printable ASCII characters, not spaces alone, no colon first.",
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"the value of the dimension {name!r} can't be right",
                hint="Use a text of 1 to 1,024 printable ASCII characters, not spaces alone.",
            )
