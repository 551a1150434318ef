"""A function that compares a sample of the table with the cache, on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from deployment.at_scale.infrastructure import let_compare
from deployment.functions import SyncFunction
from deployment.settings import replication_settings

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from deployment.cache.infrastructure import Cache
    from deployment.network.infrastructure import Network
    from deployment.options import Options
    from deployment.table.infrastructure import Table

HANDLER: Final = "ddb_cache_sync.aws_lambda.verify_handler"


class SampleVerification(Construct):
    """The function and its schedule.

    Attributes:
        function: The function; its metrics have its name as `service`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: Options,
        code: lambda_.Code,
        network: Network,
        table: Table,
        cache: Cache,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = SyncFunction(
            self,
            "VerifySample",
            options=options,
            code=code,
            handler=HANDLER,
            description="Compares a sample of the table with the cache",
            memory_mb=512,
            timeout=cdk.Duration.minutes(5),
            network=network,
            environment=replication_settings(options)
            | {
                "DDB_CACHE_SYNC_VERIFY_TABLE": table.name,
                "DDB_CACHE_SYNC_VERIFY_SAMPLE": str(options.verify_sample),
            },
        )
        cache.let_in(self.function, "verifier")
        let_compare(self.function, table, network)
        events.Rule(
            self,
            "Schedule",
            schedule=events.Schedule.rate(cdk.Duration.minutes(options.verify_minutes)),
            # What was missed is no loss: the next sample comes.
            targets=[targets.LambdaFunction(self.function.function, retry_attempts=0)],
        )
