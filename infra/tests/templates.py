"""Templates: synthesised once for each set of options, in this process, with cdk-nag looking on."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# CDK's library says on every start which versions of Node.js it likes best.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")

INFRA = Path(__file__).resolve().parent.parent


class Template:
    """A synthesised template, to be asked; with what CDK warned of while it was made, where that is known."""

    def __init__(self, content: dict[str, Any], warnings: Sequence[str] = ()) -> None:
        self.content = content
        self.warnings = warnings
        self.resources: dict[str, dict[str, Any]] = content["Resources"]

    @classmethod
    def read(cls, path: Path) -> Template:
        """The template in a file."""
        return cls(json.loads(path.read_text()))

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type, by logical id: their properties."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the one resource of a type."""
        (found,) = self.of_type(kind).values()
        return found

    def named(self, kind: str, part: str) -> dict[str, Any]:
        """The properties of the one resource of a type with this in its logical id."""
        (found,) = [properties for name, properties in self.of_type(kind).items() if part in name]
        return found

    def statements(self, role: str) -> dict[str, dict[str, Any]]:
        """The statements of the one role with this in its logical id, by Sid; those that CDK adds have none."""
        (name,) = [each for each in self.of_type("IAM::Role") if role in each]
        found = [
            statement
            for policy in self.of_type("IAM::Policy").values()
            if {"Ref": name} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        return {statement["Sid"]: statement for statement in found if "Sid" in statement}


@functools.cache
def _synthesised(context: tuple[tuple[str, str], ...]) -> Template:
    import aws_cdk as cdk
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from deployment.options import Options
    from deployment.stack import CacheSyncStack

    folder = Path(tempfile.mkdtemp(prefix="infra-synth-"))
    archive = folder / "functions.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("empty", "")
    flags = json.loads((INFRA / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(folder / "cdk.out"), context=flags | dict(context))
    options = Options.from_context(app.node.get_all_context())
    code = lambda_.Code.from_asset(str(archive))
    stack = CacheSyncStack(app, options.stack_name, options=options, code=code)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises on whatever cdk-nag finds
    said = [entry for each in stack.node.find_all() for entry in each.node.metadata]
    warnings = [str(entry.data) for entry in said if entry.type == "aws:cdk:warning"]
    made = Template.read(folder / "cdk.out" / f"{options.stack_name}.template.json")
    return Template(made.content, warnings)


def synthesised(**context: str) -> Template:
    """The template for these options."""
    return _synthesised(tuple(sorted(context.items())))
