"""CloudWatch metrics in the embedded metric format (EMF): a JSON line on stdout for each batch.

CloudWatch Logs makes metrics of such a line: no call to AWS, no permission, no time of the function. A line that is
not exactly right makes no metric and no error, so everything that can be wrong is refused when the hook is made.

Source of the format and its bounds: "Specification: Embedded metric format" and `Dimension`, `MetricDatum` of the API
reference, both of Amazon CloudWatch.
"""

import os
import string
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import orjson

from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.errors import ConfigurationError

DEFAULT_NAMESPACE: Final = "DdbCacheSync"
DEFAULT_SERVICE: Final = "ddb-cache-sync"
MAX_DIMENSIONS: Final = 30
"""Of one metric, `service` included."""
MAX_NAME_LENGTH: Final = 250
"""Of a dimension's name; the format allows five characters less than the API."""

MAX_VALUE_LENGTH: Final = 1024
"""Of a dimension."""
MAX_NAMESPACE_LENGTH: Final = 255

_OF_A_NAMESPACE: Final = frozenset(string.ascii_letters + string.digits + " .-_/#:")


Report = TypeVar("Report")


class Metric(NamedTuple, Generic[Report]):
    """A metric, and where its value comes from."""

    name: str
    unit: str
    """As CloudWatch names it."""
    value: Callable[[Report], float | None]
    """None where it isn't known: the metric is then left out."""


METRICS: Final[tuple[Metric[ApplyReport], ...]] = (
    Metric("Records", "Count", lambda report: report.records),
    Metric("Applied", "Count", lambda report: report.applied),
    Metric("Stale", "Count", lambda report: report.stale),
    Metric("Filtered", "Count", lambda report: report.filtered),
    Metric("Failed", "Count", lambda report: report.failed),
    Metric("Quarantined", "Count", lambda report: len(report.quarantined)),
    Metric("Lag", "Seconds", lambda report: report.lag_seconds),
    Metric(
        "Duration",
        "Milliseconds",
        lambda report: None if report.duration_seconds is None else report.duration_seconds * 1000,
    ),
)


def to_stdout(line: str) -> None:
    """Write a line to stdout at once."""
    # One call, where print would make two: the lines of two threads never mix.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class EmfLines(Generic[Report]):
    """Writes one line of embedded metrics for each report.

    Args:
        metrics: The metrics.
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
        metrics: Sequence[Metric[Report]],
        namespace: str = DEFAULT_NAMESPACE,
        *,
        service: str | None = None,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] = to_stdout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if (
            not _is_text(namespace, MAX_NAMESPACE_LENGTH)
            or namespace[0] == ":"
            or not _OF_A_NAMESPACE.issuperset(namespace)
        ):
            raise ConfigurationError(
                "not a namespace of CloudWatch metrics",
                hint=f"Use 1 to {MAX_NAMESPACE_LENGTH} letters, digits, spaces and . - _ / # :, no colon first.",
            )
        if service is None:
            named = os.environ.get("POWERTOOLS_SERVICE_NAME") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
            service = named or DEFAULT_SERVICE
        more = dict(dimensions or {})
        taken = sorted({"_aws", "service", *(metric.name for metric in metrics)} & more.keys())
        if taken:
            raise ConfigurationError(
                f"the name {taken[0]!r} can't be given to a dimension",
                hint="Name it differently; a service is given as service=...",
            )
        self._metrics = metrics
        self._namespace = namespace
        self._dimensions = {"service": service, **more}
        _check(self._dimensions)
        self._write = write
        self._clock = clock

    def __call__(self, report: Report) -> None:
        """Write the line of a report."""
        values = {metric.name: metric.value(report) for metric in self._metrics}
        known = {name: value for name, value in values.items() if value is not None}
        named = [{"Name": each.name, "Unit": each.unit} for each in self._metrics if each.name in known]
        line: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(self._clock() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": [[*self._dimensions]],
                        "Metrics": named,
                    }
                ],
            },
            **self._dimensions,
            **known,
        }
        self._write(orjson.dumps(line).decode())


class EmfMetrics(EmfLines[ApplyReport]):
    """Writes one line of embedded metrics for each report of a batch.

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
        namespace: str = DEFAULT_NAMESPACE,
        *,
        service: str | None = None,
        dimensions: Mapping[str, str] | None = None,
        write: Callable[[str], object] = to_stdout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(METRICS, namespace, service=service, dimensions=dimensions, write=write, clock=clock)


def _is_text(given: Any, max_length: int) -> bool:
    """Whether it is a text of printable ASCII characters, no longer than that, and not of spaces alone."""
    if not isinstance(given, str) or len(given) > max_length:
        return False
    return given.isascii() and given.isprintable() and not given.isspace() and given != ""


def _check(dimensions: Mapping[Any, Any]) -> None:
    if len(dimensions) > MAX_DIMENSIONS:
        raise ConfigurationError(
            f"{len(dimensions)} dimensions", hint=f"CloudWatch takes {MAX_DIMENSIONS}, the service included."
        )
    for name, value in dimensions.items():
        if not _is_text(name, MAX_NAME_LENGTH) or name[0] == ":":
            raise ConfigurationError(
                "a dimension's name can't be right",
                hint=f"Use 1 to {MAX_NAME_LENGTH} printable ASCII characters, not spaces alone, no colon first.",
            )
        if not _is_text(value, MAX_VALUE_LENGTH):
            raise ConfigurationError(
                f"the value of the dimension {name!r} can't be right",
                hint=f"Use a text of 1 to {MAX_VALUE_LENGTH} printable ASCII characters, not spaces alone.",
            )
