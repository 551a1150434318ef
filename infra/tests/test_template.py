"""What matters in the template of the defaults. That it was synthesised at all says that cdk-nag found nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ddb_cache_sync.core.outages import RECORD_AGE_SECONDS as LIBRARYS_AGE
from ddb_cache_sync.core.outages import RETRIES_WITH_QUARANTINE
from deployment.operations.alarms import ages_seconds
from deployment.options import BATCH_SIZE, PARALLELIZATION_FACTOR, RECORD_AGE_SECONDS, RETRY_ATTEMPTS
from tests.templates import Template

HOUR = 3600
ACCOUNT = {"Ref": "AWS::AccountId"}


def test_the_table_can_be_replicated_and_restored(template: Template) -> None:
    """On demand, with a stream of new images, point-in-time recovery, encryption, and nobody deletes it by mistake."""
    table = template.only("DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


def test_the_network_has_no_way_out_but_two_gateways(template: Template) -> None:
    """No internet gateway, no NAT, no interface endpoint to pay for; and the gateways pass on named calls only."""
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert not kinds & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"}
    endpoints = template.of_type("EC2::VPCEndpoint").values()
    services = {json.dumps(each["ServiceName"]).rpartition(".")[2].strip('"]} ') for each in endpoints}
    assert services == {"dynamodb", "s3"}
    for each in endpoints:
        assert each["VpcEndpointType"] == "Gateway"
        for statement in each["PolicyDocument"]["Statement"]:
            assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
            assert statement["Resource"] != "*"
    for subnet in template.of_type("EC2::Subnet").values():
        assert subnet["MapPublicIpOnLaunch"] is False


def test_nothing_has_a_name_of_its_own_choice(template: Template) -> None:
    """A physical name stops CloudFormation from replacing a resource, and two stacks from living side by side."""
    named = {
        (resource["Type"], name)
        for resource in template.resources.values()
        for name in resource.get("Properties", {})
        if re.fullmatch(r"(Table|Function|Bucket|Role|Topic|LogGroup|StateMachine|Rule|Alarm|Dashboard)Name", name)
    }
    refer_to_others = {
        ("AWS::Lambda::EventSourceMapping", "FunctionName"),
        ("AWS::Lambda::Permission", "FunctionName"),
        ("AWS::EC2::FlowLog", "LogGroupName"),
    }
    assert named - refer_to_others == set()
    cache = template.only("ElastiCache::ServerlessCache")["ServerlessCacheName"]
    assert cache.startswith("ddbcachesync")
    assert cache == cache.lower()
    assert len(cache) <= 40


def test_the_cache_is_bounded_and_takes_users_by_iam_only(template: Template) -> None:
    """Every user is in the one group, and logs in with a role; id and name are equal, or IAM would refuse them."""
    cache = template.only("ElastiCache::ServerlessCache")
    assert cache["Engine"] == "valkey"
    assert cache["CacheUsageLimits"] == {
        "DataStorage": {"Maximum": 10, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": 20000},
    }
    users = template.of_type("ElastiCache::User")
    group = template.only("ElastiCache::UserGroup")
    assert {each["Ref"] for each in group["UserIds"]} == users.keys()
    for user in users.values():
        assert user["AuthenticationMode"] == {"Type": "iam"}
        assert user["UserId"] == user["UserName"]
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,39}", user["UserId"])
        assert "+@" not in user["AccessString"]


def test_readers_reach_the_replicas_of_a_serverless_cache_too(template: Template) -> None:
    ports = {
        (each["FromPort"], "Readers" in json.dumps(each["SourceSecurityGroupId"]))
        for each in template.of_type("EC2::SecurityGroupIngress").values()
    }
    assert ports == {(6379, True), (6380, True), (6379, False)}


def test_the_replicator_is_the_librarys_handler_set_up_by_environment_alone(template: Template) -> None:
    function = template.named("Lambda::Function", "Replicator")
    assert function["Handler"] == "ddb_cache_sync.aws_lambda.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    variables = function["Environment"]["Variables"]
    assert variables.keys() == {
        "DDB_CACHE_SYNC_ENCODING",
        "DDB_CACHE_SYNC_IAM_CACHE_NAME",
        "DDB_CACHE_SYNC_IAM_USER",
        "DDB_CACHE_SYNC_KEY_TEMPLATE",
        "DDB_CACHE_SYNC_METRICS",
        "DDB_CACHE_SYNC_MODE",
        "DDB_CACHE_SYNC_QUARANTINE",
        "DDB_CACHE_SYNC_REDIS_URL",
    }
    assert "ReservedConcurrentExecutions" not in function


def test_the_event_source_mapping_loses_nothing(template: Template) -> None:
    """From the beginning of the stream; failures reported, bisected, given up by age, then kept with their records."""
    mapping = template.only("Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [_only_name(template, "DynamoDB::Table"), "StreamArn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}
    assert mapping["BatchSize"] == BATCH_SIZE
    assert mapping["ParallelizationFactor"] == PARALLELIZATION_FACTOR
    # As the library reckons them, where poison records are set aside.
    assert mapping["MaximumRetryAttempts"] == RETRY_ATTEMPTS == RETRIES_WITH_QUARANTINE
    assert mapping["MaximumRecordAgeInSeconds"] == RECORD_AGE_SECONDS == LIBRARYS_AGE
    bucket = mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    assert template.resources[bucket]["DeletionPolicy"] == "Retain"


def test_the_failure_destination_is_this_accounts(template: Template) -> None:
    """Lambda writes there with the function's role: a bucket of the same name in another account is refused."""
    statements = template.statements("ReplicatorRole")
    for sid in ("KeepWhatIsGivenUp", "FindTheBucket"):
        assert statements[sid]["Condition"] == {"StringEquals": {"s3:ResourceAccount": ACCOUNT}}


def test_a_functions_code_cannot_use_its_network_permissions(template: Template) -> None:
    """Lambda needs them to attach the function to the network; the function itself does not."""
    statements = template.statements("ReplicatorRole")
    assert statements["ButNotFromItsCode"]["Effect"] == "Deny"
    assert statements["ButNotFromItsCode"]["Action"] == statements["ReachTheNetwork"]["Action"]


def test_alarms_may_publish_to_the_topic(template: Template) -> None:
    """The policy that refuses plain HTTP takes the place of SNS's own: without a word of alarms they reach nobody."""
    statements = template.only("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Resource"] == {"Ref": _only_name(template, "SNS::Topic")}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    arn = "".join(
        each if isinstance(each, str) else each["Ref"]
        for each in allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1]
    )
    assert arn == "arn:AWS::Partition:cloudwatch:AWS::Region:AWS::AccountId:alarm:*"
    topic = {"Ref": _only_name(template, "SNS::Topic")}
    assert all(alarm["AlarmActions"] == [topic] for alarm in template.of_type("CloudWatch::Alarm").values())


def test_what_invocations_tell_is_looked_at_in_long_periods_and_pauses_are_no_end(template: Template) -> None:
    """In an outage one shard may make an invocation in some minutes: five of five minutes would never be bad."""
    for name, least in (("IteratorAge", 1), ("IteratorAgeHigh", 1), ("Errors", 2), ("Throttles", 2)):
        alarm = _alarm(template, name)
        assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (300, least, 3)
        assert alarm["TreatMissingData"] == "notBreaching"
    for name in ("Errors", "Throttles"):
        assert _alarm(template, name)["MetricName"] == name
        assert _alarm(template, name)["Threshold"] == 1


def test_the_alarms_at_the_age_can_go_off_before_records_are_given_up(template: Template) -> None:
    """Lambda discards what is older than the record age, so no iterator age is ever above it."""
    age_ms = template.only("Lambda::EventSourceMapping")["MaximumRecordAgeInSeconds"] * 1000
    assert _alarm(template, "IteratorAge")["Threshold"] == 3_600_000
    assert _alarm(template, "IteratorAgeHigh")["Threshold"] == 9 * 3_600_000 == 0.75 * age_ms
    assert "9 h" in _alarm(template, "IteratorAgeHigh")["AlarmDescription"]


@pytest.mark.parametrize(
    ("record_age", "first", "high"),
    [(12 * HOUR, HOUR, 9 * HOUR), (22 * HOUR, HOUR, 12 * HOUR), (-1, HOUR, 12 * HOUR), (2 * HOUR, HOUR / 2, 5400)],
)
def test_the_ages_follow_the_record_age(record_age: int, first: float, high: float) -> None:
    assert ages_seconds(record_age) == (first, high)


def test_a_table_that_is_written_to_while_nothing_is_invoked_is_an_alarm(template: Template) -> None:
    """A mapping that is off, or may not read the stream, says nothing by itself."""
    alarm = _alarm(template, "NoInvocations")
    metrics = {each["Id"]: each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each}
    assert {name: each["MetricName"] for name, each in metrics.items()} == {
        "written": "ConsumedWriteCapacityUnits",
        "invoked": "Invocations",
    }
    (table,) = metrics["written"]["Dimensions"]
    assert table == {"Name": "TableName", "Value": {"Ref": _only_name(template, "DynamoDB::Table")}}
    assert {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each} == {300}
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 3)


def test_every_part_of_an_alarm_is_measured_in_its_periods(template: Template) -> None:
    """And CDK has not had to override any, which it says of each at every synthesis."""
    for alarm in template.of_type("CloudWatch::Alarm").values():
        periods = {each["MetricStat"]["Period"] for each in alarm.get("Metrics", ()) if "MetricStat" in each}
        assert len(periods) <= 1
    assert [each for each in template.warnings if "Period" in each] == []


def test_an_end_is_told_of_what_ends_and_not_of_what_has_happened(template: Template) -> None:
    """A count is over with its minute; a message that all is well would be wrong."""
    told = {
        re.sub(r"^Operations|[0-9A-F]{8}$", "", name)
        for name, alarm in template.of_type("CloudWatch::Alarm").items()
        if alarm.get("OKActions")
    }
    assert told == {"IteratorAge", "IteratorAgeHigh", "Errors", "Throttles", "NoInvocations", "LoginFailures"}


def test_only_what_makes_an_export_may_write_where_exports_are(template: Template) -> None:
    """And it may do what DynamoDB's guide names: without PutObjectAcl an export is refused."""
    writes = {
        (role, sid): (set(_listed(statement["Action"])), _paths(statement))
        for role in ("AtScaleBackfillRole", "AtScaleVerificationRole", "SumUpRole", "VerifySegmentRole", "FillFileRole")
        for sid, statement in template.statements(role).items()
        if "s3:PutObject" in _listed(statement["Action"])
    }
    keeping = {"s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"}
    exporting = {"s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"}
    assert writes == {
        ("AtScaleBackfillRole", "WriteTheExport"): (exporting, {"exports/*"}),
        ("AtScaleBackfillRole", "KeepAnswers"): (keeping, {"results/backfill/*"}),
        ("AtScaleVerificationRole", "KeepAnswers"): (keeping, {"results/verification/*"}),
        ("SumUpRole", "WriteTheReport"): ({"s3:PutObject"}, {"results/*/report.json"}),
        ("VerifySegmentRole", "ReportDrift"): ({"s3:PutObject"}, {"results/verification/*/drift/*"}),
    }


def test_whoever_describes_the_table_may_ask_all_that_the_library_asks(template: Template) -> None:
    """Denied calls are no error, and a noise in the account's trail at every run; the gateway passes them on too."""
    describing = {f"dynamodb:Describe{each}" for each in ("Table", "TimeToLive", "ContinuousBackups")}
    roles = ("PlanBackfill", "FillFile", "PlanVerification", "VerifySegment", "VerifySample", "Redrive")
    for role in roles:
        may = {each for said in template.statements(f"{role}Role").values() for each in _listed(said["Action"])}
        assert may >= describing, role
    (gateway,) = [
        each for each in template.of_type("EC2::VPCEndpoint").values() if "dynamodb" in json.dumps(each["ServiceName"])
    ]
    passed = {each for said in gateway["PolicyDocument"]["Statement"] for each in _listed(said["Action"])}
    assert passed >= describing


def test_whoever_gets_items_may_get_one_too(template: Template) -> None:
    """Which is another action: that of the library where one key alone differs."""
    for role in ("FillFile", "VerifySegment", "VerifySample", "Redrive"):
        may = {each for said in template.statements(f"{role}Role").values() for each in _listed(said["Action"])}
        assert may >= {"dynamodb:BatchGetItem", "dynamodb:GetItem"}, role
    (gateway,) = [
        each for each in template.of_type("EC2::VPCEndpoint").values() if "dynamodb" in json.dumps(each["ServiceName"])
    ]
    for said in gateway["PolicyDocument"]["Statement"]:
        actions = _listed(said["Action"])
        assert ("dynamodb:BatchGetItem" in actions) <= ("dynamodb:GetItem" in actions)


def test_a_machine_may_watch_its_children_by_either_form_of_their_names(template: Template) -> None:
    """Step Functions names them with the map run's label, its guide also without."""
    for machine in ("AtScaleBackfill", "AtScaleVerification"):
        statement = template.statements(f"{machine}Role")["WatchAndRedriveChildren"]
        ends = {each["Fn::Join"][1][-1] for each in _listed(statement["Resource"])}
        assert ends == {":*", "/*"}


def _paths(statement: dict[str, Any]) -> set[str]:
    """Where in its bucket a statement holds."""
    return {each["Fn::Join"][1][-1].removeprefix("/") for each in _listed(statement["Resource"])}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _alarm(template: Template, name: str) -> dict[str, Any]:
    (found,) = [
        alarm
        for each, alarm in template.of_type("CloudWatch::Alarm").items()
        if re.fullmatch(rf"Operations{name}[0-9A-F]{{8}}", each)
    ]
    return found


def _only_name(template: Template, kind: str) -> str:
    (name,) = template.of_type(kind)
    return name
