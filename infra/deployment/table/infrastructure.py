"""The table: a new one, or an existing one with its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

if TYPE_CHECKING:
    from deployment.options import Options


DESCRIBING: Final = ("dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive")
"""What the library asks when it looks at what a table is like."""
GETTING: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem")
"""What it asks when it reads items by their keys: of one the latter, of more the former."""


class Table(Construct):
    """A table with a stream.

    Attributes:
        name: Its name.
        arn: Its ARN.
        stream_arn: Its stream's ARN.
        made: Whether it was made here: then the simulator may write to it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.made = not options.table_name
        if self.made:
            table = dynamodb.Table(
                self,
                "Table",
                partition_key={"name": options.partition_key, "type": dynamodb.AttributeType.STRING},
                billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
                stream=dynamodb.StreamViewType[options.stream_view_type],
                point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
                encryption=dynamodb.TableEncryption.AWS_MANAGED,
                time_to_live_attribute=options.ttl_attribute or None,
                deletion_protection=not options.removable,
                removal_policy=cdk.RemovalPolicy.DESTROY if options.removable else cdk.RemovalPolicy.RETAIN,
            )
            self.name, self.arn = table.table_name, table.table_arn
            self.stream_arn = table.table_stream_arn or ""
        else:
            self.name, self.stream_arn = options.table_name, options.table_stream_arn
            self.arn = options.table_stream_arn.partition("/stream/")[0]
        self._key_arn = options.table_key_arn

    def let_decrypt(self, role: iam.Role) -> None:
        """Let a role read the table, its stream or its export where a key of one's own encrypts them.

        DynamoDB uses the key in the role's name; the role itself never talks to KMS, nor does its network.

        Args:
            role: Who reads.
        """
        if not self._key_arn:
            return
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
        role.add_to_policy(
            iam.PolicyStatement(
                sid="DecryptTheTable",
                actions=["kms:Decrypt", "kms:DescribeKey"],
                resources=[self._key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"dynamodb.{cdk.Aws.REGION}.amazonaws.com"}},
            )
        )
