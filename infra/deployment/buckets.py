"""A private bucket, alike for everything that is kept in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

from deployment.nag import acknowledge

if TYPE_CHECKING:
    from constructs import Construct

    from deployment.options import Options


def private_bucket(scope: Construct, construct_id: str, *, options: Options, keep_days: int) -> s3.Bucket:
    """A bucket that only this account reaches, by TLS only, encrypted.

    Args:
        scope: Its capability.
        construct_id: Its name there.
        options: Whether it goes with the stack; CloudFormation deletes it only if it is empty.
        keep_days: When its objects are deleted.
    """
    bucket = s3.Bucket(
        scope,
        construct_id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[
            {
                "expiration": cdk.Duration.days(keep_days),
                "abortIncompleteMultipartUploadAfter": cdk.Duration.days(1),
            }
        ],
        removal_policy=cdk.RemovalPolicy.DESTROY if options.removable else cdk.RemovalPolicy.RETAIN,
    )
    acknowledge(
        bucket,
        "S1",
        "only Lambda, DynamoDB and Step Functions write here, short-lived objects; switch on data events "
        "in CloudTrail where each access has to be known",
    )
    return bucket
