"""`aws`, as far as the runbooks use it: any operation of any service, by botocore's own models of them.

The real one need not be installed; this one sends the same requests, checked against the same models, to wherever
`AWS_ENDPOINT_URL_*` says.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPORTS: Final = "RUNBOOKS_EXPORTS_ENDPOINT"
"""The variable that says where exports of tables are made, which moto's server does not."""


class Answer(NamedTuple):
    """What a command came to."""

    code: int
    out: str = ""
    err: str = ""


def aws(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Answer:
    """Carry out one command line, without the name of the program."""
    service, operation, *rest = words
    waits = operation == "wait"
    if waits:
        operation, *rest = rest
    options = _options(rest)
    region = options.pop("region", [environment["AWS_REGION"]])[0]
    query = options.pop("query", [None])[0]
    output = options.pop("output", ["json"])[0]
    endpoint = environment[EXPORTS if "export" in operation else f"AWS_ENDPOINT_URL_{service.upper()}"]
    client = _client(service, region or "", endpoint)
    called = operation.replace("-", "_")
    try:
        if waits:
            waiter = client.get_waiter(called)
            shape = client.meta.service_model.operation_model(waiter.config.operation).input_shape
            waiter.wait(**_parameters(shape, options, folder))
            return Answer(0)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[called])
        answer = getattr(client, called)(**_parameters(model.input_shape, options, folder))
    except (ClientError, BotoCoreError) as error:
        return Answer(255, err=f"aws: {error}\n")
    answer.pop("ResponseMetadata", None)
    shown = answer if query is None else jmespath.search(query, answer)
    return Answer(0, f"{_text(shown) if output == 'text' else json.dumps(shown, indent=4, default=str)}\n")


@lru_cache
def _client(service: str, region: str, endpoint_url: str) -> Any:
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _options(words: Sequence[str]) -> dict[str, list[Any]]:
    options: dict[str, list[Any]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--")
            options[name] = []
        else:
            options[name].append(word)
    return options


def _parameters(shape: Any, options: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Any]:
    members = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
    found = {}
    for option, words in options.items():
        positive = option if option in members else option.removeprefix("no-")
        name, member = members[positive]
        found[name] = option == positive if member.type_name == "boolean" else _value(member, words, folder)
    return found


def _value(shape: Any, words: Sequence[str], folder: Path) -> Any:
    """A parameter in the command line's forms: a word, words, `a=1,b=2`, JSON, `file://…`."""
    text = words[0]
    if text.startswith("file://"):
        text = (folder / text.removeprefix("file://")).read_text(encoding="utf-8")
    if shape.type_name == "integer":
        return int(text)
    if shape.type_name == "boolean":
        return text == "true"
    if shape.type_name in ("string", "timestamp"):
        return text
    if text.startswith(("{", "[")):
        return json.loads(text)
    if shape.type_name == "list":
        return [_value(shape.member, [word], folder) for word in words]
    return {name: _value(shape.members[name], [part], folder) for name, part in re.findall(r"(\w+)=([^,]*)", text)}


def _text(shown: Any) -> str:
    if isinstance(shown, list):
        return "\t".join(_text(each) for each in shown)
    return "None" if shown is None else str(shown)
