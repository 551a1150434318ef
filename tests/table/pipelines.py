"""A whole pipeline's AWS side, in moto: table, stream, function, event source mapping, queue, metric."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3

from ddb_cache_sync.table.clients import StaticCredentials
from ddb_cache_sync.table.examination import AwsClients

if TYPE_CHECKING:
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB

_CREDENTIALS: Final = StaticCredentials("local", "local")
SERVICES: Final = ("DYNAMODB", "LAMBDA", "CLOUDWATCH", "SQS")
HEALTHY: Final[dict[str, Any]] = {
    "StartingPosition": "TRIM_HORIZON",
    "BatchSize": 500,
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumRetryAttempts": 1000,
    "MaximumRecordAgeInSeconds": 43_200,
    "ParallelizationFactor": 2,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::given-up"}},
}


class Pipeline:
    """One table with a stream, and a function to map it to; all with names of their own."""

    def __init__(self, server: EmbeddedDynamoDB) -> None:
        self.server = server
        self.name = f"users-{uuid.uuid4().hex[:8]}"
        self.clients = AwsClients(*(self.client(name) for name in ("dynamodb", "lambda", "cloudwatch", "sqs")))
        self.stream_arn = ""

    def client(self, service: str) -> Any:
        """A client of any service."""
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            region_name=self.server.region,
            endpoint_url=self.server.endpoint_url,
            aws_access_key_id=_CREDENTIALS.access_key_id,
            aws_secret_access_key=_CREDENTIALS.secret_access_key,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send boto3's own clients there."""
        endpoints = {f"AWS_ENDPOINT_URL_{service}": self.server.endpoint_url for service in SERVICES}
        return {**self.server.environment, **endpoints}

    def create_table(self, view_type: str | None = "NEW_AND_OLD_IMAGES", **options: Any) -> None:
        """Make the table, with a stream unless the view type is None."""
        stream = {"StreamEnabled": True, "StreamViewType": view_type} if view_type else {"StreamEnabled": False}
        told = self.clients.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification=stream,
            **options,
        )["TableDescription"]
        self.stream_arn = told.get("LatestStreamArn", "")

    def create_function(self, name: str | None = None) -> str:
        """Make a function that is never called."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("main.py", "def handler(event, context): return {}")
        role = self.client("iam").create_role(RoleName=f"{self.name}-{name}", AssumeRolePolicyDocument="{}")
        self.clients.lambda_.create_function(
            FunctionName=name or self.name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="main.handler",
            Code={"ZipFile": code.getvalue()},
        )
        return name or self.name

    def map(self, **changes: Any) -> str:
        """Map the stream to the function, and give the UUID of the mapping."""
        told = self.clients.lambda_.create_event_source_mapping(
            **{"FunctionName": self.name, "EventSourceArn": self.stream_arn, **HEALTHY, **changes}
        )
        uuid: str = told["UUID"]
        return uuid

    def fall_behind(self, seconds: float) -> None:
        """Put the metric."""
        self.clients.cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": "IteratorAge",
                    "Value": seconds * 1000,
                    "Timestamp": datetime.fromtimestamp(datetime.now(UTC).timestamp() - 60, UTC),
                    "Dimensions": [{"Name": "FunctionName", "Value": self.name}],
                }
            ],
        )
