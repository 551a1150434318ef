"""Every choice by context makes a template that CloudFormation can take and that cdk-nag has nothing against."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tests.templates import Template, synthesised
from tests.variants import NETWORK, STREAM, VARIANTS

# What CDK does by itself: names dependencies that a reference makes already. And zones that are asked for.
IGNORED = ["W3005", "W3010"]


@pytest.mark.parametrize("name", VARIANTS)
def test_it_synthesises_and_cfn_lint_finds_nothing(name: str) -> None:
    """What cdk-nag finds stops the synthesis already."""
    template = synthesised(**VARIANTS[name])
    found = lint(json.dumps(template.content), config=ManualArgs(regions=["eu-west-1"], ignore_checks=IGNORED))
    assert [f"{each.rule.id} {each.message}" for each in found] == []


def test_an_existing_table_is_left_alone() -> None:
    """It is neither made nor simulated on, and only its own stream is read."""
    template = synthesised(**VARIANTS["existing table, network and cache with IAM"])
    assert not template.of_type("DynamoDB::Table")
    assert not [name for name in template.of_type("Lambda::Function") if "Simulator" in name]
    assert template.only("Lambda::EventSourceMapping")["EventSourceArn"] == STREAM
    statements = template.statements("ReplicatorRole")
    assert statements["ReadTheStream"]["Resource"] == STREAM
    assert statements["ListTheTablesStreams"]["Resource"] == STREAM.rpartition("/")[0] + "/*"


def test_whoever_reads_a_table_with_a_key_of_its_own_may_decrypt_it_through_dynamodb() -> None:
    """Or Lambda could not even read the stream. Who only asks what the table is like needs no key."""
    variant = VARIANTS["existing table, network and cache with IAM"]
    template = synthesised(**variant)
    readers = {"Replicator", "Redrive", "VerifySample", "VerifySegment", "FillFile", "AtScaleBackfill"}
    for reader in readers:
        statement = template.statements(f"{reader}Role")["DecryptTheTable"]
        assert statement["Action"] == ["kms:Decrypt", "kms:DescribeKey"]
        assert statement["Resource"] == variant["table_key_arn"]
        through = {"Fn::Join": ["", ["dynamodb.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": through}}
    assert json.dumps(template.content).count("DecryptTheTable") == len(readers)


def test_an_existing_network_gets_nothing_but_a_security_group() -> None:
    """Its endpoints are its owner's."""
    template = synthesised(**VARIANTS["existing table, network and cache with IAM"])
    kinds = {resource["Type"] for resource in template.resources.values() if resource["Type"].startswith("AWS::EC2::")}
    assert kinds == {f"AWS::EC2::SecurityGroup{each}" for each in ("", "Egress", "Ingress")}
    function = template.named("Lambda::Function", "Replicator")
    assert function["VpcConfig"]["SubnetIds"] == NETWORK["subnet_ids"].split(",")
    (opened,) = template.of_type("EC2::SecurityGroupIngress").values()
    assert opened["GroupId"] == "sg-0123456789abcdef0"


def test_an_existing_cache_is_logged_in_to_as_its_one_user() -> None:
    template = synthesised(**VARIANTS["existing table, network and cache with IAM"])
    assert not [kind for kind in template.resources.values() if kind["Type"].startswith("AWS::ElastiCache::")]
    variables = template.named("Lambda::Function", "Replicator")["Environment"]["Variables"]
    assert variables["DDB_CACHE_SYNC_IAM_USER"] == "sync"
    assert variables["DDB_CACHE_SYNC_IAM_CACHE_NAME"] == "my-cache"
    shown = json.dumps(template.statements("ReplicatorRole")["LogInToTheCache"]["Resource"])
    assert ":serverlesscache:my-cache" in shown
    assert ":user:sync" in shown


def test_a_secret_is_read_by_those_who_log_in_with_it() -> None:
    """The endpoint to it is the network's owner's."""
    template = synthesised(**VARIANTS["existing cache with a secret"])
    assert not template.of_type("EC2::VPCEndpoint")
    statement = template.statements("ReplicatorRole")["ReadTheCachesSecret"]
    assert statement["Resource"] == VARIANTS["existing cache with a secret"]["cache_secret_arn"]
    variables = template.named("Lambda::Function", "Replicator")["Environment"]["Variables"]
    assert "DDB_CACHE_SYNC_SECRET_ID" in variables
    assert "DDB_CACHE_SYNC_IAM_USER" not in variables


def test_nodes_are_encrypted_fail_over_and_are_watched_one_by_one() -> None:
    template = synthesised(**VARIANTS["nodes, two shards"])
    group = template.only("ElastiCache::ReplicationGroup")
    for switched_on in (
        "AtRestEncryptionEnabled",
        "TransitEncryptionEnabled",
        "AutomaticFailoverEnabled",
        "MultiAZEnabled",
    ):
        assert group[switched_on] is True
    assert group["NumNodeGroups"] == 2
    watched = {node for alarm in _alarms(template, "Evictions") for node in _nodes_of(alarm)}
    name = group["ReplicationGroupId"]
    assert watched == {f"{name}-{shard:04}-{node:03}" for shard in (1, 2) for node in (1, 2, 3)}


def test_the_simulator_writes_the_tables_own_key() -> None:
    """With any other key the table would refuse every change."""
    template = synthesised(**VARIANTS["a key of another name, other zones"])
    (key,) = template.only("DynamoDB::Table")["KeySchema"]
    variables = template.named("Lambda::Function", "Simulator")["Environment"]["Variables"]
    assert variables["PARTITION_KEY"] == key["AttributeName"] == "userId"


def test_a_cache_in_other_zones_has_another_name() -> None:
    """Other subnets replace it: a new one is made while the old one still has its name."""
    template = synthesised(**VARIANTS["a key of another name, other zones"])
    assert {each["AvailabilityZone"] for each in template.of_type("EC2::Subnet").values()} == {
        "eu-west-1b",
        "eu-west-1c",
    }
    names = [
        each.only("ElastiCache::ServerlessCache")["ServerlessCacheName"]
        for each in (template, synthesised(availability_zones="eu-west-1a,eu-west-1b"), synthesised())
    ]
    assert len(set(names)) == 3
    for name in names:
        assert re.fullmatch(r"[a-z](-?[a-z0-9])*", name)
        assert len(name) <= 40


def test_what_is_switched_off_is_not_there() -> None:
    template = synthesised(**VARIANTS["nothing beside the replication"])
    assert len(template.of_type("Lambda::Function")) == 2  # the replicator, and what brings back its failures
    for kind in ("Events::Rule", "StepFunctions::StateMachine", "EC2::FlowLog"):
        assert not template.of_type(kind)
    kept = [name for name, resource in template.resources.items() if resource.get("DeletionPolicy") == "Retain"]
    assert kept == []


def _alarms(template: Template, name: str) -> list[dict[str, Any]]:
    return [alarm for each, alarm in template.of_type("CloudWatch::Alarm").items() if name in each]


def _nodes_of(alarm: dict[str, Any]) -> set[str]:
    found = set()
    for metric in alarm["Metrics"]:
        for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", []):
            found.add(dimension["Value"])
    return found
