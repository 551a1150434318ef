"""README.md says what is there."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from deployment.options import Options
from tests.templates import INFRA, Template

README = (INFRA / "README.md").read_text("utf-8")
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


def test_every_statement_is_described_with_its_actions(template: Template) -> None:
    described = {
        (name, sid.strip("`")): set(re.findall("`([^`]+)`", actions))
        for name, sid, actions, _, _ in rows("<!-- statements -->")
    }
    made = {
        (role, sid): set(statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        for role, logical in roles(template).items()
        for sid, statement in template.statements(logical).items()
        if sid not in OF_ALL
    }
    assert described == made


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


def test_every_capability_is_described() -> None:
    folders = {path.name for path in (INFRA / "deployment").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name.strip("`/") for name, _, _ in rows("## What is made")} == folders


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)", README):
        assert (INFRA / target).exists(), target
