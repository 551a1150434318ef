"""The functions of the two state machines, and the machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from deployment.at_scale.machines import allow, state_machine
from deployment.at_scale.states import (
    BACKFILL_RESULTS,
    EXPORTS,
    RESULTS,
    VERIFICATION_RESULTS,
    Machine,
    backfill,
    verification,
)
from deployment.buckets import private_bucket
from deployment.functions import SyncFunction
from deployment.settings import replication_settings
from deployment.table.infrastructure import DESCRIBING, GETTING

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from deployment.cache.infrastructure import Cache
    from deployment.network.infrastructure import Network
    from deployment.options import Options
    from deployment.table.infrastructure import Table

_KEEP_DAYS: Final = 14
_FILE_STORAGE_GB: Final = 10  # a data file is downloaded and its checksum looked at before a line of it is used
_WORK_MEMORY_MB: Final = 1769  # one CPU
_LONGEST: Final = 15  # minutes, which is Lambda's limit


class AtScale(Construct):
    """Backfill and verification of the whole table.

    Attributes:
        bucket: Exports, results and reports.
        backfill: The state machine that fills.
        verification: The one that compares.
        functions: The functions, by what they do.
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
        self._options, self._code, self._network, self._table, self._cache = options, code, network, table, cache
        self.bucket = private_bucket(self, "Bucket", options=options, keep_days=_KEEP_DAYS)
        self.functions = {
            "plan_backfill": self._plan_backfill(),
            "fill_file": self._fill_file(),
            "plan_verification": self._plan_verification(),
            "verify_segment": self._verify_segment(),
            "sum_up": self._sum_up(),
        }
        self.backfill = self._machine(
            "Backfill",
            ("plan_backfill", "fill_file", "sum_up"),
            lambda machine: backfill(machine, table.arn),
            BACKFILL_RESULTS,
        )
        self._let_export(self.backfill)
        self.verification = self._machine(
            "Verification", ("plan_verification", "verify_segment", "sum_up"), verification, VERIFICATION_RESULTS
        )

    def _plan_backfill(self) -> SyncFunction:
        function = self._small_function("PlanBackfill", "plan_backfill", "Checks an export before it is used")
        function.set("DYNAMODB_TABLE", self._table.name)
        self._let_describe(function)
        self._let_read_exports(function)
        return function

    def _fill_file(self) -> SyncFunction:
        function = SyncFunction(
            self,
            "FillFile",
            options=self._options,
            code=self._code,
            handler="fill_file.handler",
            description="Fills the cache from one data file of an export",
            memory_mb=_WORK_MEMORY_MB,
            timeout=cdk.Duration.minutes(_LONGEST),
            network=self._network,
            environment=replication_settings(self._options) | {"DYNAMODB_TABLE": self._table.name},
            storage_gb=_FILE_STORAGE_GB,
        )
        self._cache.let_in(function, "filler")
        self._let_describe(function)
        self._let_read_exports(function)
        function.allow("ReadItemsAgain", GETTING, [self._table.arn])
        self._table.let_decrypt(function.role)
        self._network.let_through("dynamodb", GETTING, [self._table.arn])
        self._network.let_through("s3", ["s3:GetObject"], [self.bucket.arn_for_objects(f"{EXPORTS}*")])
        self._network.let_through("s3", ["s3:ListBucket"], [self.bucket.bucket_arn])
        return function

    def _plan_verification(self) -> SyncFunction:
        function = self._small_function("PlanVerification", "plan_verification", "Cuts the table into segments")
        function.set("DYNAMODB_TABLE", self._table.name)
        self._let_describe(function)
        return function

    def _verify_segment(self) -> SyncFunction:
        function = SyncFunction(
            self,
            "VerifySegment",
            options=self._options,
            code=self._code,
            handler="verify_segment.handler",
            description="Compares one segment of the table with the cache",
            memory_mb=_WORK_MEMORY_MB,
            timeout=cdk.Duration.minutes(_LONGEST),
            network=self._network,
            environment=replication_settings(self._options)
            | {"DYNAMODB_TABLE": self._table.name, "BUCKET": self.bucket.bucket_name},
            storage_gb=2,
        )
        self._cache.let_in(function, "verifier")
        let_compare(function, self._table, self._network)
        drift = self.bucket.arn_for_objects(f"{VERIFICATION_RESULTS}*/drift/*")
        function.allow("ReportDrift", ["s3:PutObject"], [drift], wildcard="one object for each execution and segment")
        self._network.let_through("s3", ["s3:PutObject"], [drift])
        return function

    def _sum_up(self) -> SyncFunction:
        function = self._small_function("SumUp", "sum_up", "Adds up what the pieces answered")
        for sid, action, objects in (
            ("ReadAnswers", "s3:GetObject", f"{RESULTS}*"),
            ("WriteTheReport", "s3:PutObject", f"{RESULTS}*/report.json"),
        ):
            function.allow(
                sid, [action], [self.bucket.arn_for_objects(objects)], wildcard="Step Functions names the objects"
            )
        return function

    def _small_function(self, construct_id: str, module: str, description: str) -> SyncFunction:
        """A function that has no business with the cache."""
        return SyncFunction(
            self,
            construct_id,
            options=self._options,
            code=self._code,
            handler=f"{module}.handler",
            description=description,
            memory_mb=512,
            timeout=cdk.Duration.minutes(5),
        )

    def _let_describe(self, function: SyncFunction) -> None:
        function.allow("DescribeTheTable", DESCRIBING, [self._table.arn])
        self._network.let_through("dynamodb", DESCRIBING, [self._table.arn])

    def _let_read_exports(self, function: SyncFunction) -> None:
        exports = self.bucket.arn_for_objects(f"{EXPORTS}*")
        function.allow("ReadExports", ["s3:GetObject"], [exports], wildcard="DynamoDB names the objects")
        function.allow("TellMissingFromForbidden", ["s3:ListBucket"], [self.bucket.bucket_arn])

    def _machine(
        self, construct_id: str, parts: tuple[str, str, str], definition: Any, results: str
    ) -> sfn.StateMachine:
        plan, work, sum_up = (self.functions[part].function.function_arn for part in parts)
        return state_machine(
            self,
            construct_id,
            options=self._options,
            machine=Machine(
                plan=plan,
                work=work,
                sum_up=sum_up,
                bucket=self.bucket.bucket_name,
                concurrency=self._options.backfill_concurrency,
            ),
            definition=definition,
            bucket=self.bucket,
            results=results,
        )

    def _let_export(self, machine: sfn.StateMachine) -> None:
        role = machine.role
        assert isinstance(role, iam.Role)  # noqa: S101 - it was given as one
        allow(role, "ExportTheTable", ["dynamodb:ExportTableToPointInTime"], [self._table.arn])
        self._table.let_decrypt(role)
        allow(
            role,
            "WatchTheExport",
            ["dynamodb:DescribeExport"],
            [f"{self._table.arn}/export/*"],
            wildcard="DynamoDB names the export",
        )
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
        allow(
            role,
            "WriteTheExport",
            ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"],
            [self.bucket.arn_for_objects(f"{EXPORTS}*")],
            wildcard="DynamoDB names the objects",
        )
        allow(
            role,
            "ReadTheListOfFiles",
            ["s3:GetObject"],
            [self.bucket.arn_for_objects(f"{EXPORTS}*/manifest-files.json")],
            wildcard="DynamoDB names the export",
        )


def let_compare(function: SyncFunction, table: Table, network: Network) -> None:
    """Let a function compare the table with the cache.

    Args:
        function: The function; the cache lets it in apart.
        table: The table.
        network: Its gateway is to pass the calls on.
    """
    actions = [*GETTING, "dynamodb:Scan", *DESCRIBING]
    function.allow("ReadTheTable", actions, [table.arn])
    table.let_decrypt(function.role)
    network.let_through("dynamodb", actions, [table.arn])
