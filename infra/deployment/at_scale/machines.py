"""A state machine: its definition, its log, and a role with what every machine here needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn

from deployment.functions import retention
from deployment.nag import acknowledge, acknowledge_wildcards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_cdk import aws_s3 as s3
    from constructs import Construct

    from deployment.at_scale.states import Machine
    from deployment.options import Options


def state_machine(
    scope: Construct,
    construct_id: str,
    *,
    options: Options,
    machine: Machine,
    definition: Callable[[Machine], dict[str, Any]],
    bucket: s3.IBucket,
    results: str,
) -> sfn.StateMachine:
    """Make a state machine.

    Args:
        scope: Its capability.
        construct_id: Its name there.
        options: The deployment's.
        machine: What it is made of.
        definition: Its states.
        bucket: Where its answers go,
        results: below this.
    """
    group = logs.LogGroup(
        scope,
        f"{construct_id}Logs",
        retention=retention(options.log_days),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    role = iam.Role(scope, f"{construct_id}Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    made = sfn.StateMachine(
        scope,
        construct_id,
        definition_body=sfn.DefinitionBody.from_string(cdk.Stack.of(scope).to_json_string(definition(machine))),
        role=role,
        logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
        timeout=cdk.Duration.days(7),
        tracing_enabled=options.xray,
    )
    allow(role, "CallItsFunctions", ["lambda:InvokeFunction"], [machine.plan, machine.work, machine.sum_up])
    allow(
        role,
        "KeepAnswers",
        ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
        [bucket.arn_for_objects(f"{results}*")],
        wildcard="Step Functions names the objects",
    )
    _let_run_itself(scope, construct_id, role, made)
    acknowledge(role, "IAM5[Resource::*]", "log delivery has no resources to name (added by CDK)")
    if not options.xray:
        acknowledge(made, "SF2", "tracing is by choice: context option xray")
    return made


def allow(
    role: iam.Role, sid: str, actions: Sequence[str], resources: Sequence[str], *, wildcard: str | None = None
) -> None:
    """Add a named statement to a role."""
    if wildcard is not None:
        acknowledge_wildcards(role, resources, wildcard)
    role.add_to_policy(iam.PolicyStatement(sid=sid, actions=[*actions], resources=[*resources]))


def _let_run_itself(scope: Construct, construct_id: str, role: iam.Role, machine: sfn.StateMachine) -> None:
    """Let a distributed map start, watch and redrive its children. A policy apart: it names the machine."""
    # Both forms are in the guide's examples: with the map run's label, and without it.
    # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    children = [
        cdk.Stack.of(scope).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}{rest}",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        for rest in (":*", "/*")
    ]
    policy = iam.Policy(
        scope,
        f"{construct_id}Children",
        roles=[role],
        statements=[
            iam.PolicyStatement(
                sid="StartChildren", actions=["states:StartExecution"], resources=[machine.state_machine_arn]
            ),
            iam.PolicyStatement(
                sid="WatchAndRedriveChildren",
                actions=["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
                resources=children,
            ),
        ],
    )
    acknowledge_wildcards(policy, children, "Step Functions names the executions")
