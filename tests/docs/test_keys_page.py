"""The page on keys agrees with the code."""

import json
import shutil
import subprocess
from typing import Any

import pytest
from tests.docs.markdown import ROOT, blocks, code_span, marked, rows

from ddb_cache_sync import Image, ItemKey, KeyMapping, KeyTemplate, Remove, Version
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.keys import table_keys
from ddb_cache_sync.core.templates import DEFAULT_MAX_KEY_BYTES

PAGE = ROOT / "docs" / "keys.md"
AWKWARD = ["42", "a:b", "{a}%", "Zoë 王芳 😀", "", "".join(map(chr, range(128)))]


def key_of(mapping: KeyMapping, attributes: dict[str, dict[str, str]]) -> str:
    return mapping(Remove(ItemKey("users", Image(attributes)), Version.of(0, "1")))


@pytest.mark.parametrize(("template", "primary_key", "cache_key"), rows(PAGE, "template"))
def test_each_example_is_what_the_code_gives(template: str, primary_key: str, cache_key: str) -> None:
    """A row: template, primary key in DynamoDB JSON, cache key."""
    mapping = table_keys if template == "*default*" else KeyTemplate(code_span(template))
    assert key_of(mapping, json.loads(code_span(primary_key))) == code_span(cache_key)


@pytest.mark.parametrize(("cache_key", "guard"), rows(PAGE, "cache key"))
def test_each_guard_is_what_the_code_gives(cache_key: str, guard: str) -> None:
    """A row: cache key, guard."""
    assert guard_key(code_span(cache_key)) == code_span(guard)


def test_the_longest_key_is_as_long_as_the_page_says() -> None:
    """In bytes."""
    assert f"of more than {DEFAULT_MAX_KEY_BYTES:,} bytes" in PAGE.read_text(encoding="utf-8")


def test_the_mapping_of_ones_own_works() -> None:
    """As the page writes it; what it warns of is refused."""
    namespace: dict[str, Any] = {}
    exec(marked(PAGE, "run: tests/docs/test_keys_page.py"), namespace)
    key = {"userId": {"S": "u1"}}
    assert key_of(namespace["keys"], key) == "mine:u1"
    for text in (lambda change: f"mine:{change.key}", lambda change: f"mine:{change.key.attributes}"):
        with pytest.raises(TypeError):
            key_of(text, key)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("value", AWKWARD)
def test_the_javascript_gives_the_same_keys(value: str) -> None:
    """For whatever characters a value has."""
    [code] = [block.code for block in blocks(PAGE) if block.language == "js"]
    program = f"{code}\nprocess.stdout.write(cacheKey({json.dumps(value)}));"
    shown = subprocess.run(["node", "-e", program], capture_output=True, check=True).stdout.decode()
    assert shown == key_of(KeyTemplate("users:{id}"), {"id": {"S": value}})
