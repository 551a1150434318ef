"""A topic, the alarms that go to it, and a dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deployment.operations.alarms import AGAIN, HOUR_SECONDS, LATELY, ON_AND_ON, ONCE, Lasting, ages_seconds, alarm
from deployment.operations.metrics import library, of_cache, of_function, of_mapping, silence

if TYPE_CHECKING:
    from deployment.cache.infrastructure import Cache
    from deployment.options import Options
    from deployment.replicator.infrastructure import Replicator
    from deployment.table.infrastructure import Table
    from deployment.verification.infrastructure import SampleVerification

_LOGIN_FAILURES: Final = ("AuthenticationFailures", "IamAuthenticationThrottling")


class Operations(Construct):
    """What watches the replication.

    Attributes:
        topic: Where alarms go.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: Options,
        replicator: Replicator,
        table: Table,
        cache: Cache,
        verification: SampleVerification | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._record_age_seconds = options.record_age_seconds
        self._table_name = table.name
        self._function = replicator.function.function
        self._mapping = replicator.mapping
        self._cache = cache
        self._verification = verification
        self.topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        self._let_alarms_publish()
        if options.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
        self._watch_the_stream()
        self._watch_the_cache()
        self._dashboard()

    def _let_alarms_publish(self) -> None:
        """Any policy of a topic takes the place of SNS's own, under which whoever is of the account may publish."""
        alarms = cdk.Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html, "Allow CloudWatch alarms"
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LetAlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": alarms},
                },
            )
        )

    def _watch_the_stream(self) -> None:
        age = of_function("IteratorAge", self._function, "Maximum")
        first, high = ages_seconds(self._record_age_seconds)
        ends = "its batch is given up, into the bucket" if self._record_age_seconds != -1 else "it is lost, at 24 h"
        self._alarm(
            "IteratorAge",
            age,
            first * 1000,
            f"Changes wait for {_shown(first)}: batches fail, or come too slowly",
            LATELY,
        )
        self._alarm(
            "IteratorAgeHigh", age, high * 1000, f"The oldest change waits for {_shown(high)}: soon {ends}", LATELY
        )
        self._alarm(
            "Errors",
            of_function("Errors", self._function),
            1,
            "Invocations fail: the cache can't be reached or refuses, or a setting is wrong",
            AGAIN,
        )
        self._alarm(
            "Throttles",
            of_function("Throttles", self._function),
            1,
            "Invocations are turned away: the concurrency, reserved or the account's, does not suffice",
            AGAIN,
        )
        self._alarm(
            "NoInvocations",
            silence(self._table_name, self._function),
            1,
            "The table is written to and nothing is invoked: the event source mapping is off, or can't read the stream",
            ON_AND_ON,
        )
        self._alarm(
            "Failed",
            library("Failed", self._function.function_name),
            1,
            "A poison record that could not be set aside: look at the bucket and the role",
        )
        self._alarm(
            "Quarantined",
            library("Quarantined", self._function.function_name),
            1,
            "A poison record was set aside: the log says why; mend the cause, then redrive it",
        )
        self._alarm(
            "Dropped",
            of_mapping("DroppedEventCount", self._mapping),
            1,
            "Records were given up and are nowhere: run the verification, then repair",
        )
        self._alarm(
            "GivenUp",
            of_mapping("OnFailureDestinationDeliveredEventCount", self._mapping),
            1,
            "Batches were given up, and are in the bucket: mend the cause, then redrive them",
        )
        self._alarm(
            "DestinationFailures",
            of_function("DestinationDeliveryFailures", self._function),
            1,
            "Batches were given up and could not be kept: look at the bucket and the role",
        )
        if self._verification is not None:
            name = self._verification.function.function.function_name
            self._alarm(
                "Drift", library("Drift", name, "Maximum"), 1, "Cache and table disagree: verify all, then repair"
            )
            self._alarm(
                "VerificationErrors",
                of_function("Errors", self._verification.function.function),
                1,
                "The sample could not be compared: drift would go unseen",
            )

    def _watch_the_cache(self) -> None:
        for number, nodes in enumerate(self._cache.shards, 1):
            which = "" if len(self._cache.shards) == 1 else str(number)
            self._alarm(
                f"Evictions{which}",
                of_cache(["Evictions"], nodes, "Sum", "Evictions"),
                1,
                "The cache is full: guards and expiring values are thrown out, and newest-wins does not hold for them",
            )
            self._alarm(
                f"LoginFailures{which}",
                of_cache(_LOGIN_FAILURES, nodes[:5], "Sum", "Failed logins"),
                1,
                "Logins to the cache fail: a role, a user or the cache's name in the settings is wrong",
                AGAIN,
            )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.Metric | cloudwatch.MathExpression,
        threshold: float,
        description: str,
        lasting: Lasting = ONCE,
    ) -> None:
        alarm(self, name, metric, threshold, description, topic=self.topic, lasting=lasting)

    def _dashboard(self) -> None:
        function, mapping = self._function, self._mapping
        name = function.function_name
        dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=cdk.Duration.hours(3))
        dashboard.add_widgets(
            _graph("Lag, s", library("Lag", name, "p50", "p50"), library("Lag", name, "p99", "p99")),
            _graph("Iterator age, ms", of_function("IteratorAge", function, "Maximum")),
            _graph(
                "Records", *(library(each, name) for each in ("Applied", "Stale", "Filtered", "Failed", "Quarantined"))
            ),
        )
        dashboard.add_widgets(
            _graph(
                "Invocations",
                of_function("Invocations", function),
                of_function("Errors", function),
                of_function("Throttles", function),
            ),
            _graph(
                "Duration, ms",
                of_function("Duration", function, "p50", "p50"),
                of_function("Duration", function, "p99", "p99"),
                of_function("ConcurrentExecutions", function, "Maximum"),
            ),
            _graph(
                "Given up",
                of_mapping("FailedInvokeEventCount", mapping),
                of_mapping("OnFailureDestinationDeliveredEventCount", mapping),
                of_mapping("DroppedEventCount", mapping),
                of_function("DestinationDeliveryFailures", function),
            ),
        )
        for nodes in self._cache.shards:
            dashboard.add_widgets(*self._cache_widgets(nodes))
        if self._verification is not None:
            service = self._verification.function.function.function_name
            dashboard.add_widgets(
                _graph("Drift in the sample, keys", library("Drift", service, "Maximum"), library("InFlight", service)),
                _graph("Sample that is right, %", library("ShareConsistent", service, "Minimum")),
            )

    def _cache_widgets(self, nodes: Any) -> list[cloudwatch.IWidget]:
        load = (
            of_cache(["ElastiCacheProcessingUnits"], nodes, "Sum", "ECPU")
            if self._cache.serverless
            else of_cache(["EngineCPUUtilization"], nodes[:1], "Maximum", "CPU of the first node, %")
        )
        return [
            _graph("Cache memory, bytes", of_cache(["BytesUsedForCache"], nodes[:1], "Maximum", "used")),
            _graph("Cache load", load),
            _graph(
                "Cache trouble",
                of_cache(["Evictions"], nodes, "Sum", "Evictions"),
                of_cache(_LOGIN_FAILURES, nodes[:5], "Sum", "Failed logins"),
                *([of_cache(["ThrottledCmds"], nodes, "Sum", "Throttled")] if self._cache.serverless else []),
            ),
        ]


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=[*metrics], width=8, height=6)


def _shown(seconds: int) -> str:
    return f"{seconds / HOUR_SECONDS:g} h" if seconds >= HOUR_SECONDS else f"{seconds} s"
