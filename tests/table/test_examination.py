from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from tests.table.pipelines import Pipeline

from ddb_cache_sync.core.diagnosis.facts import MappingFacts, TableFacts
from ddb_cache_sync.core.diagnosis.findings import Known, Unknown
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB
from ddb_cache_sync.table.examination import ACTIONS, AwsClients, examine_mappings, examine_table

pytestmark = pytest.mark.servers


@pytest.fixture
def pipeline(dynamodb: EmbeddedDynamoDB) -> Pipeline:
    """Give a table with a stream, and a function that nothing is mapped to."""
    made = Pipeline(dynamodb)
    made.create_table()
    made.create_function()
    return made


def table_of(pipeline: Pipeline) -> TableFacts:
    facts = examine_table(pipeline.clients, pipeline.name, time.time)
    assert isinstance(facts, TableFacts)
    return facts


def mappings_of(pipeline: Pipeline, clients: AwsClients | None = None, /, **by: str) -> tuple[MappingFacts, ...]:
    chosen = clients or pipeline.clients
    facts = examine_mappings(chosen, pipeline.name, pipeline.stream_arn, clock=time.time, **by)
    assert not isinstance(facts, Unknown)
    return facts


def test_a_table_tells_its_key_its_stream_and_its_time_to_live(pipeline: Pipeline) -> None:
    """As the service describes it."""
    facts = table_of(pipeline)
    assert facts[:5] == (pipeline.name, {"id": "S"}, pipeline.stream_arn, "NEW_AND_OLD_IMAGES", None)
    assert isinstance(facts.clock_ahead_seconds, float)
    assert abs(facts.clock_ahead_seconds) < 5
    pipeline.clients.dynamodb.update_time_to_live(
        TableName=pipeline.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    assert table_of(pipeline).ttl_attribute == "ttl"


def test_a_table_without_a_stream_and_no_table_are_facts(dynamodb: EmbeddedDynamoDB) -> None:
    """Neither is an error here."""
    made = Pipeline(dynamodb)
    assert examine_table(made.clients, made.name, time.time) is None
    made.create_table(None)
    assert (table_of(made).stream_arn, table_of(made).view_type) == (None, None)


def test_a_mapping_tells_its_settings(pipeline: Pipeline) -> None:
    """All that the checks ask for."""
    assert mappings_of(pipeline) == ()
    uuid = pipeline.map(FilterCriteria={"Filters": [{"Pattern": "{}"}]})
    pipeline.fall_behind(90.0)
    [facts] = mappings_of(pipeline)
    assert facts == MappingFacts(
        uuid=uuid,
        function=pipeline.name,
        stream_arn=pipeline.stream_arn,
        state="Enabled",
        response_types=("ReportBatchItemFailures",),
        batch_size=500,
        bisects=True,
        retries=1000,
        record_age_seconds=43_200,
        parallelization=2,
        starting_position="TRIM_HORIZON",
        last_result="",
        filters=("{}",),
        destination="arn:aws:s3:::given-up",
        destination_seconds=None,
        iterator_age_seconds=90.0,
    )


def test_a_mapping_is_found_by_its_function_and_by_its_uuid(pipeline: Pipeline) -> None:
    """Or by the stream; one of another table never is."""
    uuid = pipeline.map()
    for by in ({}, {"function": pipeline.name}, {"uuid": uuid}):
        assert [facts.uuid for facts in mappings_of(pipeline, **by)] == [uuid]
    assert mappings_of(pipeline, function="another") == ()
    assert mappings_of(pipeline, uuid="00000000-0000-0000-0000-000000000000") == ()
    assert examine_mappings(pipeline.clients, "another", None, uuid=uuid, clock=time.time) == ()
    assert isinstance(examine_mappings(pipeline.clients, pipeline.name, None, clock=time.time), Unknown)


def test_a_queue_tells_how_long_it_keeps_messages(pipeline: Pipeline) -> None:
    """And one that is not there keeps them no time at all."""
    pipeline.clients.sqs.create_queue(QueueName=pipeline.name, Attributes={"MessageRetentionPeriod": "1209600"})
    for queue, seconds in ((pipeline.name, 1_209_600), ("none", 0)):
        arn = f"arn:aws:sqs:{pipeline.server.region}:123456789012:{queue}"
        uuid = pipeline.map(DestinationConfig={"OnFailure": {"Destination": arn}})
        [facts] = mappings_of(pipeline, uuid=uuid)
        assert facts.destination_seconds == seconds
        pipeline.clients.lambda_.delete_event_source_mapping(UUID=uuid)


class Refusing:
    """A client of any service that refuses whatever it is asked, but for what is answered in its place."""

    def __init__(self, error: Exception, **answers: Any) -> None:
        self._error = error
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> None:
            raise self._error

        return refuse


def denied(code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "swordfish"}}, "Any")


def test_each_action_that_is_not_allowed_is_named(pipeline: Pipeline) -> None:
    """Together they are all that are asked for."""
    arn = f"arn:aws:sqs:{pipeline.server.region}:123456789012:q"
    uuid = pipeline.map(DestinationConfig={"OnFailure": {"Destination": arn}})
    refusing = Refusing(denied(), meta=pipeline.clients.lambda_.meta)
    clients = AwsClients(*[refusing] * 4)
    table, stream = pipeline.name, pipeline.stream_arn
    unknown: list[Known[Any]] = [
        examine_table(clients, table, time.time),
        examine_mappings(clients, table, stream, clock=time.time),
        examine_mappings(clients, table, stream, uuid="u", clock=time.time),
    ]
    no_ttl = Refusing(denied(), describe_table=pipeline.clients.dynamodb.describe_table)
    facts = examine_table(pipeline.clients._replace(dynamodb=no_ttl), table, time.time)
    assert isinstance(facts, TableFacts)
    no_attributes = Refusing(denied("AccessDenied"), get_queue_url=lambda **_: {"QueueUrl": "x"})
    for sqs in (refusing, no_attributes):
        [mapping] = mappings_of(pipeline, pipeline.clients._replace(sqs=sqs, cloudwatch=refusing), uuid=uuid)
        unknown += [mapping.destination_seconds, mapping.iterator_age_seconds]
    unknown.append(facts.ttl_attribute)
    assert all(isinstance(each, Unknown) for each in unknown)
    assert {each.mend for each in unknown} == {f"Allow {action} to whoever runs this." for action in ACTIONS}
    assert "swordfish" not in str(unknown)


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), "Check the endpoint, the Region and the network."),
        (NoCredentialsError(), "AWS_PROFILE"),
        (denied("ThrottlingException"), "Try again later."),
    ],
)
def test_what_can_not_be_asked_says_what_to_do(error: Exception, mend: str) -> None:
    """Without credentials, or without a way to the service."""
    facts = examine_table(AwsClients(*[Refusing(error)] * 4), "users", time.time)
    assert isinstance(facts, Unknown)
    assert mend in facts.mend
