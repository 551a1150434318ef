"""What AWS tells of a table, of what reads its stream, and how far that is behind.

Rule: whatever AWS refuses or fails to answer becomes an `Unknown` that names the action to allow; nothing is raised,
and nothing is changed.
"""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ddb_cache_sync.core.diagnosis.facts import MappingFacts, TableFacts
from ddb_cache_sync.core.diagnosis.findings import Known, Unknown
from ddb_cache_sync.core.versions import StreamArn
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, impatient_client, other_endpoint_of, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ACTIONS: Final = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "lambda:ListEventSourceMappings",
    "lambda:GetEventSourceMapping",
    "cloudwatch:GetMetricStatistics",
    "sqs:GetQueueUrl",
    "sqs:GetQueueAttributes",
)
"""Every IAM action that is asked for here."""

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
_ABSENT: Final = frozenset(
    {"ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
)

_T = TypeVar("_T")


class AwsClients(NamedTuple):
    """boto3's clients."""

    dynamodb: Any
    lambda_: Any
    cloudwatch: Any
    sqs: Any


def aws_clients(region: str | None = None, endpoint_url: str | None = None) -> AwsClients:
    """Build the clients.

    Args:
        region: A Region's code; None takes the environment's or the profile's.
        endpoint_url: Another server than AWS's for DynamoDB; None is AWS. For the others set `AWS_ENDPOINT_URL_LAMBDA`
            and so on.

    Raises:
        ConfigurationError: No or no valid Region, profile or endpoint.
    """
    return AwsClients(
        impatient_client("dynamodb", region, endpoint_url),
        *(impatient_client(service, region) for service in ("lambda", "cloudwatch", "sqs")),
    )


def examine_table(clients: AwsClients, table: str, clock: Callable[[], float]) -> Known[TableFacts | None]:
    """What DynamoDB tells of a table; None: there is none.

    Args:
        clients: boto3's.
        table: Its name.
        clock: Epoch seconds.
    """
    answer = _answered("dynamodb:DescribeTable", lambda: clients.dynamodb.describe_table(TableName=table))
    if not isinstance(answer, dict):
        return answer
    now = clock()
    described = answer["Table"]
    types = {each["AttributeName"]: each["AttributeType"] for each in described.get("AttributeDefinitions", [])}
    schema = sorted(described.get("KeySchema", []), key=lambda each: str(each["KeyType"]))  # HASH before RANGE
    stream = described.get("StreamSpecification", {})
    return TableFacts(
        name=table,
        key_types={each["AttributeName"]: types[each["AttributeName"]] for each in schema},
        stream_arn=described.get("LatestStreamArn"),
        view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        ttl_attribute=_ttl_attribute(clients, table),
        clock_ahead_seconds=_clock_ahead(answer, now),
    )


def examine_mappings(
    clients: AwsClients,
    table: str,
    stream_arn: str | None,
    *,
    function: str | None = None,
    uuid: str | None = None,
    clock: Callable[[], float],
) -> Known[tuple[MappingFacts, ...]]:
    """What Lambda tells of the event source mappings that read a stream of a table.

    Args:
        clients: boto3's.
        table: Its name.
        stream_arn: Its newest stream. None: it has none, or it is not known.
        function: Only this function's, those of older streams included. None: whichever read `stream_arn`.
        uuid: Only this one.
        clock: Epoch seconds.
    """
    server = other_endpoint_of(clients.dynamodb)
    if server is not None and other_endpoint_of(clients.lambda_) is None:
        return Unknown(
            f"DynamoDB is at {server}, and AWS's Lambda knows nothing of its tables: what reads the stream is not "
            "looked at",
            "Where that server has them too, set AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL_CLOUDWATCH and "
            "AWS_ENDPOINT_URL_SQS.",
        )
    found: Known[list[dict[str, Any]] | None]
    if uuid is not None:
        found = _answered("lambda:GetEventSourceMapping", lambda: [clients.lambda_.get_event_source_mapping(UUID=uuid)])
    elif function is not None:
        found = _listed(clients, {"FunctionName": function})
    elif stream_arn is not None:
        found = _listed(clients, {"EventSourceArn": stream_arn})
    else:
        return Unknown("the table's stream is not known", "Name the function, or the event source mapping.")
    if isinstance(found, Unknown):
        return found
    ours = [each for each in found or () if _table_of(each.get("EventSourceArn", "")) == table]
    if function is not None:
        ours = [each for each in ours if _plain(function) == _plain(_function_of(each["FunctionArn"]))]
    return tuple(_mapping_facts(clients, each, clock) for each in ours)


def _listed(clients: AwsClients, by: Mapping[str, str]) -> Known[list[dict[str, Any]] | None]:
    def pages() -> Iterable[Mapping[str, Any]]:
        paged: Iterable[Mapping[str, Any]] = clients.lambda_.get_paginator("list_event_source_mappings").paginate(**by)
        return paged

    return _answered(
        "lambda:ListEventSourceMappings", lambda: [each for page in pages() for each in page["EventSourceMappings"]]
    )


def _mapping_facts(clients: AwsClients, told: Mapping[str, Any], clock: Callable[[], float]) -> MappingFacts:
    function = _function_of(told["FunctionArn"])
    destination = ((told.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    return MappingFacts(
        uuid=told["UUID"],
        function=function,
        stream_arn=told.get("EventSourceArn", ""),
        state=told.get("State", ""),
        response_types=tuple(told.get("FunctionResponseTypes") or ()),
        batch_size=told.get("BatchSize", 100),
        bisects=bool(told.get("BisectBatchOnFunctionError")),
        retries=_or_endless(told.get("MaximumRetryAttempts")),
        record_age_seconds=_or_endless(told.get("MaximumRecordAgeInSeconds")),
        parallelization=told.get("ParallelizationFactor") or 1,
        starting_position=told.get("StartingPosition", ""),
        last_result=told.get("LastProcessingResult", ""),
        filters=tuple(
            each.get("Pattern", "{}") for each in (told.get("FilterCriteria") or {}).get("Filters") or () if each
        ),
        destination=destination,
        destination_seconds=_retention(clients, destination),
        iterator_age_seconds=_iterator_age(clients, _plain(function), clock),
    )


def _ttl_attribute(clients: AwsClients, table: str) -> Known[str | None]:
    answer = _answered("dynamodb:DescribeTimeToLive", lambda: clients.dynamodb.describe_time_to_live(TableName=table))
    if not isinstance(answer, dict):
        return answer
    told = answer.get("TimeToLiveDescription", {})
    return told.get("AttributeName") if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None


def _clock_ahead(answer: Mapping[str, Any], now: float) -> Known[float]:
    """How far the service's clock is ahead: by the time in its answer, which has whole seconds."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return Unknown("DynamoDB's answer has no date", "Check the endpoint.")


def _iterator_age(clients: AwsClients, function: str, clock: Callable[[], float]) -> Known[float | None]:
    until = datetime.fromtimestamp(clock(), UTC)
    answer = _answered(
        "cloudwatch:GetMetricStatistics",
        lambda: clients.cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="IteratorAge",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=until - timedelta(hours=1),
            EndTime=until,
            Period=3600,
            Statistics=["Maximum"],
        ),
    )
    if not isinstance(answer, dict):
        return answer
    return max((float(each["Maximum"]) / 1000 for each in answer["Datapoints"]), default=None)


def _retention(clients: AwsClients, destination: str | None) -> Known[int | None]:
    """How long a queue keeps its messages, 0 where it does not exist; None for what is no queue."""
    arn = (destination or "").split(":")
    if len(arn) != 6 or arn[2] != "sqs":
        return None
    url = _answered(
        "sqs:GetQueueUrl", lambda: clients.sqs.get_queue_url(QueueName=arn[5], QueueOwnerAWSAccountId=arn[4])
    )
    if not isinstance(url, dict):
        return url or 0
    name = "MessageRetentionPeriod"
    answer = _answered(
        "sqs:GetQueueAttributes",
        lambda: clients.sqs.get_queue_attributes(QueueUrl=url["QueueUrl"], AttributeNames=[name]),
    )
    return int(answer["Attributes"][name]) if isinstance(answer, dict) else answer or 0


def _answered(action: str, ask: Callable[[], _T]) -> Known[_T | None]:
    """What AWS answers; None: what was asked about does not exist."""
    try:
        return ask()
    except AWS_ERRORS as error:
        code = error_code(error)
        if code in _ABSENT:
            return None
        if code in _DENIED:
            return Unknown(f"{action}: {code}", f"Allow {action} to whoever runs this.")
        hint = translate(error, action).hint
        return Unknown(f"{action}: {code}", hint or "Try again later.")


def _or_endless(bound: int | None) -> int:
    return -1 if bound is None else bound


def _table_of(stream_arn: str) -> str | None:
    try:
        return StreamArn.parse(stream_arn).table
    except ValueError:
        return None


def _function_of(arn: str) -> str:
    """The function's name in an ARN, with its alias or version."""
    return arn.rsplit(":function:", maxsplit=1)[-1]


def _plain(function: str) -> str:
    """The function's name, without its ARN, alias or version."""
    return _function_of(function).split(":")[0]
