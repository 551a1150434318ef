"""The two state machines, in Amazon States Language. Pure: dictionaries of names and ARNs that the caller gives.

Rules:

1. A child execution works on one piece: a data file of an export, or a segment of a scan. A function that runs out of
   time answers how far it has come, and is called again with its own answer.
2. What may pass by itself is tried again, with jitter; anything else fails the execution. Redriving it goes on with the
   pieces that are not done.
3. The outputs of all pieces go to the bucket and are added up there: a state's data may not exceed 256 KB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

EXPORTS: Final = "exports/"
RESULTS: Final = "results/"
BACKFILL_RESULTS: Final = f"{RESULTS}backfill/"
VERIFICATION_RESULTS: Final = f"{RESULTS}verification/"
_POLL_SECONDS: Final = 60  # the smallest export takes minutes
_ANY_LAMBDA_FAULT: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",  # it is gone without an answer
    "Runtime.ExitError",  # out of memory, for instance
    "Sandbox.Timedout",
)
_ANY_DYNAMODB_FAULT: Final = (
    "DynamoDb.InternalServerErrorException",
    "DynamoDb.LimitExceededException",  # of exports at the same time, for one
    "DynamoDb.ThrottlingException",
    # What has no name of its own, as throttling had none for long. A refusal is told late by that, but it is told.
    "DynamoDb.DynamoDbException",
    "DynamoDb.SdkClientException",
)
_PASSES: Final = ("CacheUnavailable", "TableError")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a state machine is made of.

    Attributes:
        plan: ARN of the function that says what the pieces are, and refuses what can't be right.
        work: ARN of the function that works on a piece.
        sum_up: ARN of the function that adds up what they answered.
        bucket: Name of the bucket for exports and results.
        concurrency: How many pieces are worked on at the same time.
    """

    plan: str
    work: str
    sum_up: str
    bucket: str
    concurrency: int


def backfill(machine: Machine, table_arn: str) -> dict[str, Any]:
    """Fill the cache: export the table, wait for it, fill from each data file.

    Input: `{}`, or `{"ExportArn": …}` to take an export that there is.
    """
    return {
        "Comment": "Fill the cache from an export of the table, while its stream goes on",
        "StartAt": "IsThereAnExport",
        "States": {
            "IsThereAnExport": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.ExportArn", "IsPresent": True, "Next": "HowFarIsTheExport"}],
                "Default": "ExportTheTable",
            },
            "ExportTheTable": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:dynamodb:exportTableToPointInTime",
                "Parameters": {
                    "TableArn": table_arn,
                    "S3Bucket": machine.bucket,
                    "S3Prefix.$": f"States.Format('{EXPORTS}{{}}', $$.Execution.Name)",
                    "ExportFormat": "DYNAMODB_JSON",
                    # Tried again after a lost answer, it is the same export.
                    "ClientToken.$": "$$.Execution.Id",
                },
                "ResultSelector": {"ExportArn.$": "$.ExportDescription.ExportArn"},
                "Retry": [_retry([*_ANY_DYNAMODB_FAULT])],
                "Next": "WaitForTheExport",
            },
            "WaitForTheExport": {"Type": "Wait", "Seconds": _POLL_SECONDS, "Next": "HowFarIsTheExport"},
            "HowFarIsTheExport": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:dynamodb:describeExport",
                "Parameters": {"ExportArn.$": "$.ExportArn"},
                "ResultSelector": {
                    "ExportArn.$": "$.ExportDescription.ExportArn",
                    "Description.$": "$.ExportDescription",
                },
                "Retry": [_retry([*_ANY_DYNAMODB_FAULT])],
                "Next": "IsTheExportThere",
            },
            "IsTheExportThere": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.Description.ExportStatus", "StringEquals": "COMPLETED", "Next": "Plan"},
                    {"Variable": "$.Description.ExportStatus", "StringEquals": "FAILED", "Next": "TheExportFailed"},
                ],
                "Default": "WaitForTheExport",
            },
            "TheExportFailed": {
                "Type": "Fail",
                "Error": "ExportFailed",
                "Cause": "DynamoDB could not export the table: DescribeExport tells why",
            },
            "Plan": _invoke(
                machine.plan,
                {
                    "bucket.$": "$.Description.S3Bucket",
                    "manifest.$": "$.Description.ExportManifest",
                },
                "FillFromEachFile",
            ),
            "FillFromEachFile": _map(
                machine,
                "FillFromAFile",
                BACKFILL_RESULTS,
                {
                    "ItemReader": {
                        "Resource": "arn:aws:states:::s3:getObject",
                        "ReaderConfig": {"InputType": "JSONL"},
                        "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.files_key"},
                    },
                    "ItemSelector": {"location.$": "$.location", "file.$": "$$.Map.Item.Value.dataFileS3Key"},
                },
            ),
            **_ending(machine, "failed", "SomeItemsFailed", "Not every item could be carried: the report tells why"),
        },
    }


def verification(machine: Machine) -> dict[str, Any]:
    """Compare the whole table with the cache, segment by segment. Input: `{}`."""
    return {
        "Comment": "Compare every item of the table with the cache, while the stream goes on",
        "StartAt": "Plan",
        "States": {
            "Plan": _invoke(machine.plan, {}, "CompareEachSegment"),
            "CompareEachSegment": _map(
                machine,
                "CompareASegment",
                VERIFICATION_RESULTS,
                {
                    "ItemsPath": "$.segments",
                    "ItemSelector": {
                        "segment.$": "$$.Map.Item.Value",
                        "execution.$": "$$.Execution.Name",
                        "of.$": "$.of",
                    },
                },
            ),
            **_ending(machine, "drift", "DriftFound", "Cache and table disagree: the report names the keys"),
        },
    }


def _map(machine: Machine, work: str, results: str, items: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Map",
        **items,
        "MaxConcurrency": machine.concurrency,
        "ItemProcessor": {
            # STANDARD: a piece may take more than the five minutes of an express execution.
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": work,
            "States": {
                work: _invoke(machine.work, None, "IsItDone"),
                "IsItDone": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.complete", "BooleanEquals": True, "Next": "Done"}],
                    "Default": work,
                },
                "Done": {"Type": "Succeed"},
            },
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": machine.bucket, "Prefix.$": f"States.Format('{results}{{}}', $$.Execution.Name)"},
            "WriterConfig": {"OutputType": "JSON", "Transformation": "COMPACT"},
        },
        "Next": "SumUp",
    }


def _ending(machine: Machine, counted: str, error: str, cause: str) -> dict[str, Any]:
    return {
        "SumUp": _invoke(
            machine.sum_up,
            {"bucket.$": "$.ResultWriterDetails.Bucket", "manifest.$": "$.ResultWriterDetails.Key"},
            "IsAllWell",
        ),
        "IsAllWell": {
            "Type": "Choice",
            "Choices": [{"Variable": f"$.{counted}", "NumericEquals": 0, "Next": "AllIsWell"}],
            "Default": error,
        },
        "AllIsWell": {"Type": "Succeed"},
        error: {"Type": "Fail", "Error": error, "Cause": cause},
    }


def _invoke(function: str, payload: dict[str, Any] | None, following: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, **({"Payload.$": "$"} if payload is None else {"Payload": payload})},
        "OutputPath": "$.Payload",
        "Retry": [_retry([*_ANY_LAMBDA_FAULT, *_PASSES])],
        "Next": following,
    }


def _retry(errors: list[str]) -> dict[str, Any]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": 5,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 8,
        "JitterStrategy": "FULL",
    }
