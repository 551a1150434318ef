"""cdk-nag's rules that are not followed, each with its reason beside the construct that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Leave out a rule of AwsSolutions on a construct and those below it.

    Args:
        construct: Where it is not followed.
        rule: Its id without the pack's name, with the finding where there are several: `IAM5[Resource::*]`.
        reason: Why.
    """
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def acknowledge_wildcards(construct: IConstruct, resources: Sequence[str], reason: str) -> None:
    """Leave out the rule against wildcards for these resources of a policy.

    Args:
        construct: The role, or what has it.
        resources: The resources of the statement; those without a wildcard are passed over.
        reason: Why they can't be narrower.
    """
    stack = cdk.Stack.of(construct)
    for resource in resources:
        shown = _shown(stack.resolve(resource))
        if "*" in shown:
            acknowledge(construct, f"IAM5[Resource::{shown}]", reason)


def _shown(value: Any) -> str:
    """A value of the template as cdk-nag names it in a finding."""
    match value:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_shown(part) for part in parts)
        case _:
            return str(value)
