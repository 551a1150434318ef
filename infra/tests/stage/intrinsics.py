"""CloudFormation's functions in a template, worked out: what is left is plain values. Pure.

What can't be worked out is an error, so that nothing runs with half a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class UnknownReferenceError(LookupError):
    """A reference to what was not made here."""


def resolve(value: Any, made: Mapping[str, str]) -> Any:  # noqa: PLR0911 - one for each function
    """Work out a value.

    Args:
        value: Any part of a template.
        made: What `Ref` of a logical id or pseudo parameter gives, under its name; what `Fn::GetAtt` gives, under
            `name.attribute`.

    Raises:
        UnknownReferenceError: It refers to something else, or by another function.
    """
    match value:
        case {"Ref": str(name)}:
            return _made(name, made)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return _made(f"{name}.{attribute}", made)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(str(resolve(part, made)) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}!]+)\}", lambda match: _made(match[1], made), text)
        case {"Fn::Select": [index, parts]}:
            return resolve(parts, made)[int(index)]
        case {"Fn::Split": [str(separator), text]}:
            return resolve(text, made).split(separator)
        case dict():
            functions = [name for name in value if name.startswith("Fn::")]
            if functions:
                raise UnknownReferenceError(f"{functions[0]} is not worked out here")
            return {name: resolve(each, made) for name, each in value.items()}
        case list():
            return [resolve(each, made) for each in value]
        case _:
            return value


def _made(name: str, made: Mapping[str, str]) -> str:
    if name not in made:
        raise UnknownReferenceError(f"{name} was not made here")
    return made[name]
