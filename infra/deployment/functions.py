"""A function of the bundle: a role of its own with named statements, a log group of its own, settings alike for all.

Rule: no managed policies. Every statement has a name (Sid), stands in README.md with its reason, and a test compares
the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from deployment.nag import acknowledge, acknowledge_wildcards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deployment.network.infrastructure import Network
    from deployment.options import Options

_NETWORK_INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class SyncFunction(Construct):
    """A Lambda function that runs from the bundle on arm64.

    Args:
        scope: Its capability.
        construct_id: Its name there.
        options: The deployment's.
        code: The bundle.
        handler: A function of the library, or of a runtime/ folder.
        description: What it does, one line.
        memory_mb: Its memory.
        timeout: Its time-out.
        network: Where the cache can be reached. None: it does not talk to the cache, and runs outside of any VPC.
        environment: Its settings beside those that come with what it is granted.
        reserved_concurrency: The most invocations at a time. None: the account's.
        storage_gb: Room for temporary files. None: 512 MB.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: Options,
        code: lambda_.Code,
        handler: str,
        description: str,
        memory_mb: int,
        timeout: cdk.Duration,
        network: Network | None = None,
        environment: Mapping[str, str] | None = None,
        reserved_concurrency: int | None = None,
        storage_gb: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            retention=retention(options.log_days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        # The group's ARN as CloudFormation gives it ends in :*, which stands for its streams.
        self.allow("WriteItsLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.log_group_arn])
        in_network: dict[str, Any] = {}
        if network is not None:
            self._allow_network_interfaces()
            in_network = {
                "vpc": network.vpc,
                "vpc_subnets": network.subnets,
                "security_groups": [network.functions_group],
            }
        if options.xray:
            self.allow(
                "WriteTraces",
                ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
                ["*"],
                wildcard="X-Ray has no resources to name",
            )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=code,
            handler=handler,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mb,
            timeout=timeout,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            environment=dict(environment or {}),
            reserved_concurrent_executions=reserved_concurrency,
            ephemeral_storage_size=None if storage_gb is None else cdk.Size.gibibytes(storage_gb),
            **in_network,
        )
        if options.xray:
            resource = self.function.node.default_child
            assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - as CDK documents it
            # Set here, since the property `tracing` would add a statement without a name.
            resource.add_property_override("TracingConfig.Mode", "Active")
        acknowledge(
            self.function, "L1", "Python 3.13 is supported until 2029 and is what the bundle is compiled and tested for"
        )

    def allow(
        self,
        sid: str,
        actions: Sequence[str],
        resources: Sequence[str],
        conditions: Mapping[str, Mapping[str, str]] | None = None,
        wildcard: str | None = None,
    ) -> None:
        """Add a statement to the role.

        Args:
            sid: Its name, which README.md explains.
            actions: What is allowed.
            resources: On which ARNs.
            conditions: And when.
            wildcard: Why a resource with a wildcard can't be narrower.
        """
        if wildcard is not None:
            acknowledge_wildcards(self.role, resources, wildcard)
        self.role.add_to_policy(
            iam.PolicyStatement(sid=sid, actions=[*actions], resources=[*resources], conditions=conditions)
        )

    def set(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self.function.add_environment(name, value)

    def _allow_network_interfaces(self) -> None:
        self.allow(
            "ReachTheNetwork",
            _NETWORK_INTERFACES,
            ["*"],
            wildcard="Lambda checks these six actions when the function is made, before its network interfaces exist; "
            "the statement after it takes them from the function's own code",
        )
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, "Security best practices"
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="ButNotFromItsCode",
                effect=iam.Effect.DENY,
                actions=[*_NETWORK_INTERFACES],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "lambda:SourceFunctionArn": cdk.Stack.of(self).format_arn(
                            service="lambda",
                            resource="function",
                            resource_name="*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )


def retention(days: int) -> logs.RetentionDays:
    """CDK's name for a number of days."""
    names = {
        1: "ONE_DAY",
        3: "THREE_DAYS",
        5: "FIVE_DAYS",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        120: "FOUR_MONTHS",
        150: "FIVE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        400: "THIRTEEN_MONTHS",
        545: "EIGHTEEN_MONTHS",
        731: "TWO_YEARS",
        1096: "THREE_YEARS",
        1827: "FIVE_YEARS",
        3653: "TEN_YEARS",
    }
    return logs.RetentionDays[names[days]]
