"""README.md says what is there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from deployment.options import Options
from tests.templates import INFRA, Template, synthesised
from tests.variants import VARIANTS

README = (INFRA / "README.md").read_text("utf-8")
WITH_ALL_STATEMENTS = (
    "defaults",
    "everything on",
    "existing cache with a secret",
    "existing table, network and cache with IAM",
)
OF_ALL = {"WriteItsLogs", "ReachTheNetwork", "ButNotFromItsCode"}


def rows(after: str) -> list[list[str]]:
    """The cells of the first table after a text, without its head."""
    lines = README.split(after, 1)[1].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("|---"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_option_is_described_with_its_default() -> None:
    described = {name.strip("`"): default.strip("`") for name, default, _ in rows("## Options")}
    assert described == {field.name: shown(field.default) for field in dataclasses.fields(Options)}


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default == () else str(default)


def test_every_statement_is_described_with_its_actions() -> None:
    """Of all roles and policies, those without a name too: what is not in the table is not given."""
    described = {
        (name, sid.strip("`"), frozenset(re.findall("`([^`]+)`", actions)))
        for names, sid, actions, _, _ in rows("<!-- statements -->")
        for name in names.split(", ")
    }
    made = {
        (name, statement.get("Sid", "none"), frozenset(listed(statement["Action"])))
        for variant in WITH_ALL_STATEMENTS
        for name, statement in statements(synthesised(**VARIANTS[variant]))
        if statement.get("Sid") not in OF_ALL | {"WriteTraces"}
    }
    assert described == made


def test_no_role_has_a_managed_policy() -> None:
    for variant in WITH_ALL_STATEMENTS:
        for role in synthesised(**VARIANTS[variant]).of_type("IAM::Role").values():
            assert not role.keys() & {"ManagedPolicyArns", "Policies"}


def test_every_policy_of_a_resource_is_described(template: Template) -> None:
    described = {
        (sid.strip("`"), effect, frozenset(re.findall("`([^`]+)`", actions)))
        for resource, sid, effect, actions, _ in rows("<!-- resource policies -->")
        if resource != "gateways"  # made of what the functions may, as they get it
    }
    made = {
        (statement.get("Sid", "none"), statement["Effect"], frozenset(listed(statement["Action"])))
        for kind in ("S3::BucketPolicy", "SNS::TopicPolicy")
        for policy in template.of_type(kind).values()
        for statement in policy["PolicyDocument"]["Statement"]
    }
    permissions = {
        ("none", "Allow", frozenset({each["Action"]})) for each in template.of_type("Lambda::Permission").values()
    }
    assert described == made | permissions


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """All statements of identity policies, with README's name for who has them."""
    names = {logical: name for name, logical in roles(template).items()}
    for policy in template.of_type("IAM::Policy").values():
        for role in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield names.get(role["Ref"]) or re.sub(r"^NetworkVpc|IAMRole[0-9A-F]{8}$", "", role["Ref"]), statement
    for logical, policy in template.of_type("IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield re.sub(r"^Cache|[0-9A-F]{8}$", "", logical), statement


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_statements_of_all_functions_are_described(template: Template) -> None:
    described = {sid.strip("`") for sid, _, _, _ in rows("All functions:")}
    assert described == OF_ALL | {"WriteTraces"}
    assert template.statements("ReplicatorRole").keys() >= OF_ALL


def roles(template: Template) -> dict[str, str]:
    """The roles of functions and state machines by README's name for them, and their logical ids."""
    found = {}
    for kind, property_ in (("Lambda::Function", "Role"), ("StepFunctions::StateMachine", "RoleArn")):
        for properties in template.of_type(kind).values():
            logical = properties[property_]["Fn::GetAtt"][0]
            name = re.sub(r"(Role)?[0-9A-F]{8}$", "", logical).removesuffix("Role")
            found[re.sub(r"^(AtScale|Verification(?=V))", "", name)] = logical
    return found


def test_every_alarm_is_described(template: Template) -> None:
    made = {re.sub(r"^Operations|[0-9A-F]{8}$", "", name) for name in template.of_type("CloudWatch::Alarm")}
    assert {name.strip("`") for name, _, _ in rows("## What wakes you up")} == made


def test_how_long_things_are_kept_is_described(template: Template) -> None:
    for bucket, section in (("AtScale", "## Fill and compare"), ("GivenUp", "## Bring back")):
        (rule,) = template.named("S3::Bucket", bucket)["LifecycleConfiguration"]["Rules"]
        text = README.split(section, 1)[1].split("\n## ", 1)[0]
        assert f"deleted after {rule['ExpirationInDays']} days" in text


def test_every_capability_is_described() -> None:
    folders = {path.name for path in (INFRA / "deployment").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name.strip("`/") for name, _, _ in rows("## What is made")} == folders


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)", README):
        assert (INFRA / target).exists(), target
