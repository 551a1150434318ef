"""The stack: makes the capabilities, and says who may do what with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from deployment.at_scale.infrastructure import AtScale
from deployment.cache.infrastructure import Cache
from deployment.network.infrastructure import Network
from deployment.operations.infrastructure import Operations
from deployment.redrive.infrastructure import Redrive
from deployment.replicator.infrastructure import Replicator
from deployment.simulator.infrastructure import Simulator
from deployment.table.infrastructure import Table
from deployment.verification.infrastructure import SampleVerification

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from deployment.options import Options


class CacheSyncStack(cdk.Stack):
    """A table, its cache, and what keeps them in step.

    Args:
        scope: The app.
        construct_id: The stack's name.
        options: What was chosen.
        code: The archive that all functions run from.
        **more: CDK's own.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, code: lambda_.Code, **more: Any
    ) -> None:
        super().__init__(scope, construct_id, **more)
        self.table = Table(self, "Table", options=options)
        self.network = Network(self, "Network", options=options)
        self.cache = Cache(self, "Cache", options=options, network=self.network)
        wired: dict[str, Any] = {
            "options": options,
            "code": code,
            "network": self.network,
            "table": self.table,
            "cache": self.cache,
        }
        self.replicator = Replicator(self, "Replicator", **wired)
        self.redrive = Redrive(self, "Redrive", **wired, given_up=self.replicator.given_up)
        # Never on a table that somebody else fills.
        if options.simulator and self.table.made:
            Simulator(self, "Simulator", options=options, code=code, table=self.table)
        verification = SampleVerification(self, "Verification", **wired) if options.verify_minutes else None
        self.at_scale = AtScale(self, "AtScale", **wired) if options.backfill else None
        Operations(
            self,
            "Operations",
            options=options,
            replicator=self.replicator,
            table=self.table,
            cache=self.cache,
            verification=verification,
        )
        self._say_what_was_made()

    def _say_what_was_made(self) -> None:
        said = {
            "TableName": self.table.name,
            "CacheUrl": self.cache.url,
            "ReplicatorName": self.replicator.function.function.function_name,
            "GivenUpBucket": self.replicator.given_up.bucket_name,
            "RedriveName": self.redrive.function.function.function_name,
        }
        if self.cache.reader_policy is not None and self.cache.readers_group is not None:
            said |= {
                "ReaderUser": self.cache.reader,
                "ReaderPolicyArn": self.cache.reader_policy.managed_policy_arn,
                "ReaderSecurityGroup": self.cache.readers_group.security_group_id,
            }
        if self.at_scale is not None:
            said |= {
                "BackfillArn": self.at_scale.backfill.state_machine_arn,
                "VerificationArn": self.at_scale.verification.state_machine_arn,
            }
        for name, value in said.items():
            cdk.CfnOutput(self, name, value=value)
