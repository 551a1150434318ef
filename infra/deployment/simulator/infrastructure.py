"""Random changes to the table, each minute, by the library's simulator. It talks to DynamoDB only: in no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from deployment.functions import SyncFunction

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from deployment.options import Options
    from deployment.table.infrastructure import Table

HANDLER: Final = "ddb_cache_sync.simulator.handler"
CHANGES_COUNT: Final = 10


class Simulator(Construct):
    """The function and its schedule.

    Attributes:
        function: The function.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, code: lambda_.Code, table: Table
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = SyncFunction(
            self,
            "Simulator",
            options=options,
            code=code,
            handler=HANDLER,
            description="Makes random changes to the table",
            memory_mb=256,
            timeout=cdk.Duration.seconds(30),
            environment={
                "DYNAMODB_TABLE": table.name,
                "CHANGES_COUNT": str(CHANGES_COUNT),
                "PARTITION_KEY": options.partition_key,
            },
        )
        self.function.allow("ChangeTheTable", ["dynamodb:DeleteItem", "dynamodb:PutItem"], [table.arn])
        events.Rule(
            self,
            "Schedule",
            schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
            targets=[targets.LambdaFunction(self.function.function, retry_attempts=0)],
        )
