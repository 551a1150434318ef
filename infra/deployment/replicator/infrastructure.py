"""The replicator: the library's own handler, configured by environment alone, and the event source mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deployment.buckets import private_bucket
from deployment.functions import SyncFunction
from deployment.options import STARTING_POSITION
from deployment.settings import replication_settings

if TYPE_CHECKING:
    from deployment.cache.infrastructure import Cache
    from deployment.network.infrastructure import Network
    from deployment.options import Options
    from deployment.table.infrastructure import Table

HANDLER: Final = "ddb_cache_sync.aws_lambda.handler"
TIMEOUT_SECONDS: Final = 60
GIVEN_UP_PREFIX: Final = "aws/lambda/"
"""What Lambda's keys in the failure destination begin with."""
QUARANTINE_PREFIX: Final = "quarantine/"
"""What those of poison records begin with."""
_KEEP_GIVEN_UP_DAYS: Final = 90


class Replicator(Construct):
    """The function that applies the stream.

    Attributes:
        function: The function.
        mapping: Its event source mapping.
        given_up: The bucket with the batches that were given up, and the poison records that were set aside.
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
        self.given_up = private_bucket(self, "GivenUp", options=options, keep_days=_KEEP_GIVEN_UP_DAYS)
        self.function = SyncFunction(
            self,
            "Replicator",
            options=options,
            code=code,
            handler=HANDLER,
            description="Applies the table's stream to the cache",
            memory_mb=options.memory_mb,
            timeout=cdk.Duration.seconds(TIMEOUT_SECONDS),
            network=network,
            environment=replication_settings(options) | {"DDB_CACHE_SYNC_METRICS": "log,emf"},
            reserved_concurrency=options.reserved_concurrency or None,
        )
        cache.let_in(self.function, "applier")
        self._let_read(table)
        self._let_give_up()
        self._let_set_aside(network)
        self.mapping = self._mapping(options, table)

    def _let_read(self, table: Table) -> None:
        self.function.allow(
            "ReadTheStream",
            ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            [table.stream_arn],
        )
        table.let_decrypt(self.function.role)
        self.function.allow(
            "ListTheTablesStreams",
            ["dynamodb:ListStreams"],
            [f"{table.arn}/stream/*"],
            wildcard="of one table; a stream that is switched on anew has a name not yet known",
        )

    def _let_give_up(self) -> None:
        own_account = {"StringEquals": {"s3:ResourceAccount": cdk.Aws.ACCOUNT_ID}}
        self.function.allow(
            "KeepWhatIsGivenUp",
            ["s3:PutObject"],
            [self.given_up.arn_for_objects(f"{GIVEN_UP_PREFIX}*")],
            own_account,
            wildcard="Lambda names the objects",
        )
        self.function.allow("FindTheBucket", ["s3:ListBucket"], [self.given_up.bucket_arn], own_account)

    def _let_set_aside(self, network: Network) -> None:
        """Poison records go to a quarantine, so that none holds up its shard until it has grown too old."""
        objects = self.given_up.arn_for_objects(f"{QUARANTINE_PREFIX}*")
        self.function.set("DDB_CACHE_SYNC_QUARANTINE", f"s3://{self.given_up.bucket_name}/{QUARANTINE_PREFIX}")
        self.function.allow(
            "SetPoisonRecordsAside", ["s3:PutObject"], [objects], wildcard="one object for each poison record"
        )
        network.let_through("s3", ["s3:PutObject"], [objects])

    def _mapping(self, options: Options, table: Table) -> lambda_.CfnEventSourceMapping:
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            function_name=self.function.function.function_name,
            event_source_arn=table.stream_arn,
            starting_position=STARTING_POSITION,
            batch_size=options.batch_size,
            maximum_batching_window_in_seconds=options.batching_window_seconds,
            parallelization_factor=options.parallelization_factor,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=options.retry_attempts,
            maximum_record_age_in_seconds=options.record_age_seconds,
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self.given_up.bucket_arn)
            ),
            metrics_config=lambda_.CfnEventSourceMapping.MetricsConfigProperty(metrics=["EventCount"]),
        )
        # Lambda tries the role's rights when the mapping is made.
        mapping.node.add_dependency(self.function.role)
        return mapping
