"""What an alarm is made of: how long something has to last until somebody is woken, and whether its end is told.

Rules:

1. A failing batch is tried again after pauses that Lambda does not document, and one shard makes few invocations. So
   what is measured by invocations is looked at in periods of five minutes, and not all of them need a figure.
2. No data is no fault: a metric of failures exists only where there are some.
3. The end is told of what ends by itself when all is well again. A count of what has happened (records given up, keys
   that drifted) is over with its minute, and its cause is not: of that no end is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sns as sns
    from constructs import Construct

HOUR_SECONDS: Final = 3600
_FIRST_SHARE: Final = 0.25
_HIGH_SHARE: Final = 0.75
_HALF_OF_THE_STREAM_SECONDS: Final = 12 * HOUR_SECONDS


class Lasting(NamedTuple):
    """How long something lasts until it is an alarm."""

    minutes: int
    """Length of a period."""
    least: int
    """In so many periods it is over the threshold,"""
    of: int
    """of so many."""
    end_is_told: bool
    """Whether the topic is told when it is over."""


ONCE: Final = Lasting(minutes=1, least=1, of=1, end_is_told=False)
"""It has happened."""
LATELY: Final = Lasting(minutes=5, least=1, of=3, end_is_told=True)
"""Once is enough, and pauses between invocations don't end it."""
AGAIN: Final = Lasting(minutes=5, least=2, of=3, end_is_told=True)
"""It did not pass by itself."""
ON_AND_ON: Final = Lasting(minutes=5, least=3, of=3, end_is_told=True)
"""A quarter of an hour without a break."""


def ages_seconds(record_age_seconds: int) -> tuple[int, int]:
    """At what age of the oldest record somebody is woken, and woken once more.

    What reaches the record age is given up, so the iterator age never exceeds it: an alarm at that age or above could
    not go off. The first is at one hour, the second at half of the stream's 24 h, or at a share of a shorter record
    age, so that a quarter of it is left to act in.

    Args:
        record_age_seconds: How old records get; -1: as old as the stream keeps them.
    """
    if record_age_seconds == -1:
        return HOUR_SECONDS, _HALF_OF_THE_STREAM_SECONDS
    first = min(HOUR_SECONDS, int(_FIRST_SHARE * record_age_seconds))
    return first, min(_HALF_OF_THE_STREAM_SECONDS, int(_HIGH_SHARE * record_age_seconds))


def alarm(
    scope: Construct,
    name: str,
    metric: cloudwatch.Metric | cloudwatch.MathExpression,
    threshold: float,
    description: str,
    *,
    topic: sns.ITopic,
    lasting: Lasting = ONCE,
) -> None:
    """Make an alarm that goes off at the threshold and above it.

    Args:
        scope: What it belongs to.
        name: Its name there, which README.md explains.
        metric: What is looked at.
        threshold: In the metric's unit.
        description: What it means.
        topic: Who is told.
        lasting: How long.
    """
    made = cloudwatch.Alarm(
        scope,
        name,
        metric=_in_periods(metric, cdk.Duration.minutes(lasting.minutes)),
        threshold=threshold,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=lasting.of,
        datapoints_to_alarm=lasting.least,
        alarm_description=description,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    made.add_alarm_action(actions.SnsAction(topic))
    if lasting.end_is_told:
        made.add_ok_action(actions.SnsAction(topic))


def _in_periods(
    metric: cloudwatch.Metric | cloudwatch.MathExpression, period: cdk.Duration
) -> cloudwatch.Metric | cloudwatch.MathExpression:
    """The same in these periods, and all that it is made of: CDK would say that it has overridden the periods."""
    if not isinstance(metric, cloudwatch.MathExpression):
        return metric.with_(period=period)
    parts = cast("Mapping[str, cloudwatch.Metric]", metric.using_metrics)
    return cloudwatch.MathExpression(
        expression=metric.expression,
        using_metrics={name: part.with_(period=period) for name, part in parts.items()},
        label=metric.label,
        period=period,
    )
