"""The metrics that are looked at, and where they come from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_lambda as lambda_

MINUTE: Final = cdk.Duration.minutes(1)
_LIBRARY: Final = "DdbCacheSync"
_LAMBDA: Final = "AWS/Lambda"
_TABLE: Final = "AWS/DynamoDB"
_CACHE: Final = "AWS/ElastiCache"
_MOST_IN_AN_ALARM: Final = 10  # CloudWatch's limit on the metrics of one alarm


def library(name: str, service: str, statistic: str = "Sum", label: str | None = None) -> cloudwatch.Metric:
    """What the library says of itself, in the embedded metric format; `service` is the function's name."""
    return _metric(_LIBRARY, name, {"service": service}, statistic, label)


def of_function(
    name: str, function: lambda_.IFunction, statistic: str = "Sum", label: str | None = None
) -> cloudwatch.Metric:
    """What Lambda says of a function."""
    return _metric(_LAMBDA, name, {"FunctionName": function.function_name}, statistic, label)


def of_mapping(name: str, mapping: lambda_.CfnEventSourceMapping) -> cloudwatch.Metric:
    """What Lambda says of an event source mapping that has EventCount metrics on."""
    return _metric(_LAMBDA, name, {"EventSourceMappingUUID": mapping.ref}, "Sum", None)


def of_cache(
    names: Sequence[str], nodes: Sequence[Mapping[str, str]], statistic: str, label: str
) -> cloudwatch.Metric | cloudwatch.MathExpression:
    """What ElastiCache says of some nodes, added up: of one metric or several."""
    alone = len(names) * len(nodes) == 1
    metrics = [_metric(_CACHE, name, node, statistic, None) for name in names for node in nodes]
    if alone:
        return metrics[0]
    # A graph may hold several of these sums: an id has to say of which metric and node it is.
    using = {_id_of(metric): metric for metric in metrics[:_MOST_IN_AN_ALARM]}
    return cloudwatch.MathExpression(
        expression="+".join(f"FILL({name}, 0)" for name in using), using_metrics=using, label=label, period=MINUTE
    )


def silence(table_name: str, function: lambda_.IFunction) -> cloudwatch.MathExpression:
    """1 where the table was written to and the function was not invoked.

    That alone is seen from outside: a mapping that is off, or may not read the stream, has no metrics of its own.
    """
    return cloudwatch.MathExpression(
        expression="IF(FILL(written, 0) > 0 AND FILL(invoked, 0) < 1, 1, 0)",
        using_metrics={
            "written": _metric(_TABLE, "ConsumedWriteCapacityUnits", {"TableName": table_name}, "Sum", None),
            "invoked": of_function("Invocations", function),
        },
        label="Written to, and not invoked",
        period=MINUTE,
    )


def _id_of(metric: cloudwatch.Metric) -> str:
    (node,) = (metric.dimensions or {}).values()
    return re.sub(r"\W", "_", f"of_{metric.metric_name}_{str(node)[-8:]}")


def _metric(
    namespace: str, name: str, dimensions: Mapping[str, str], statistic: str, label: str | None
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=MINUTE,
        # Without a label an alarm is of the metric itself, and not of an expression.
        label=label,
    )
