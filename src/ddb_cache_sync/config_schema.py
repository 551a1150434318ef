"""The JSON schema of a configuration file, for editors: with it they complete keys and show what each means."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from ddb_cache_sync.config import RouteSettings
from ddb_cache_sync.settings import FILE_KEYS, Settings


def config_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a configuration file, the fields' docstrings as descriptions."""
    schema = Settings.model_json_schema()
    described = schema | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ddb-cache-sync",
        "description": "A configuration file of ddb-cache-sync.",
        "properties": _described(Settings, {name: schema["properties"][name] for name in FILE_KEYS}),
    }
    route = described["$defs"][RouteSettings.__name__]
    route["properties"] = _described(RouteSettings, route["properties"])
    return described


def _described(model: type[BaseModel], properties: dict[str, Any]) -> dict[str, Any]:
    """The properties, each with the docstring of its field."""
    # pydantic can do this as well, at five milliseconds of every cold start.
    texts = dict(_docstrings(model))
    return {name: each | {"description": texts[name]} for name, each in properties.items()}


def _docstrings(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The name of each field that has a docstring, and the docstring on one line."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    fields: list[ast.stmt] = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, after in pairwise(fields):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
