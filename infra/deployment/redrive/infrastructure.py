"""A function that brings back what the event source mapping has given up. It runs when somebody runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from constructs import Construct

from deployment.functions import SyncFunction
from deployment.replicator.infrastructure import GIVEN_UP_PREFIX, QUARANTINE_PREFIX
from deployment.settings import replication_settings
from deployment.table.infrastructure import DESCRIBING, GETTING

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3

    from deployment.cache.infrastructure import Cache
    from deployment.network.infrastructure import Network
    from deployment.options import Options
    from deployment.table.infrastructure import Table

HANDLER: Final = "redrive_given_up.handler"


class Redrive(Construct):
    """The function.

    Attributes:
        function: The function.
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
        given_up: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = SyncFunction(
            self,
            "Redrive",
            options=options,
            code=code,
            handler=HANDLER,
            description="Brings back what was given up or set aside",
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
            network=network,
            environment=replication_settings(options)
            | {
                "DYNAMODB_TABLE": table.name,
                "GIVEN_UP": f"s3://{given_up.bucket_name}/{GIVEN_UP_PREFIX}",
                "QUARANTINE": f"s3://{given_up.bucket_name}/{QUARANTINE_PREFIX}",
            },
        )
        cache.let_in(self.function, "redriver")
        reads = [*GETTING, *DESCRIBING]
        self.function.allow("ReadItemsAgain", reads, [table.arn])
        table.let_decrypt(self.function.role)
        network.let_through("dynamodb", reads, [table.arn])
        objects = [given_up.arn_for_objects(f"{prefix}*") for prefix in (GIVEN_UP_PREFIX, QUARANTINE_PREFIX)]
        works = ["s3:DeleteObject", "s3:GetObject"]
        self.function.allow(
            "TakeWhatWasGivenUp", works, objects, wildcard="Lambda and the quarantine have named the objects"
        )
        self.function.allow("ListWhatWasGivenUp", ["s3:ListBucket"], [given_up.bucket_arn])
        network.let_through("s3", works, objects)
        network.let_through("s3", ["s3:ListBucket"], [given_up.bucket_arn])
