"""What the first page of the runbooks says of all of them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from tests.docs.markdown import blocks, links, marked, rows
from tests.runbooks.conftest import Table
from tests.runbooks.pages import RUNBOOKS

from ddb_cache_sync import BackfillOptions, KeyTemplate, Projection, prepare_backfill
from ddb_cache_sync.config import RouteSettings
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.settings import PREFIX, Settings
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.testing import write_export

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from tests.runbooks.conftest import Pipeline, Region

INDEX = RUNBOOKS / "index.md"
FAULTS = [page for page in sorted(RUNBOOKS.glob("*.md")) if page.name not in ("index.md", "change-the-key-layout.md")]
GUARD = "1745415436991:27:202328600001712385967261751"
KEY = "users:{}"


def test_every_runbook_is_in_the_table() -> None:
    """And nothing else."""
    listed = [
        link for cell in (row[1] for row in rows(INDEX, "what you see")) for link in re.findall(r"\((.*)\)", cell)
    ]
    assert sorted(listed) == sorted(page.name for page in RUNBOOKS.glob("*.md") if page != INDEX)
    assert set(listed) <= set(links(INDEX))


@pytest.mark.parametrize("page", FAULTS, ids=lambda page: page.name)
def test_every_runbook_says_the_same_things_of_its_fault(page: Path) -> None:
    """In the same order, for those who read it at night."""
    text = page.read_text(encoding="utf-8")
    said = ["**You see**", "**What is wrong.**", "**Readers see**", "## Steps", "**It is over**", "**It takes**"]
    places = [text.find(each) for each in [*said, "**Prevent it:**"]]
    assert places == sorted(places)
    assert -1 not in places


LAYOUT = {
    "KEY_TEMPLATE": "users:{id}",
    "ENCODING": "dynamodb-json",
    "MODE": "invalidate",
    "TTL_ATTRIBUTE": "expires",
    "VALUE_TTL_SECONDS": "60",
    "UNMATCHED": "ignore",
}
"""Every variable that says something of a layout, with what may be said of an old one."""


def test_no_variable_of_an_old_layout_says_anything_of_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to the function, nor in the shell."""
    page = RUNBOOKS / "change-the-key-layout.md"
    of_routes = Settings.model_fields.keys() & RouteSettings.model_fields.keys()
    assert {name.lower() for name in LAYOUT} == {"unmatched", *of_routes}
    monkeypatch.chdir(tmp_path)
    written = marked(page, "run: write it")
    (tmp_path / "new-layout.toml").write_text(re.findall(r"<<'END'\n(.*?)END\n", written, re.DOTALL)[0])
    right = Settings.from_file(Path("new-layout.toml"))
    old = {PREFIX + name: value for name, value in LAYOUT.items()}
    assert Settings.from_environment(old | {f"{PREFIX}CONFIG": "new-layout.toml"}) != right
    [step6] = re.findall(
        r"merge\(Environment.Variables, `(.*?)`\)", marked(page, "run: apply to the new one"), re.DOTALL
    )
    assert Settings.from_environment(old | json.loads(step6)) == right
    step9 = marked(page, "run: tidy up")
    unset = {name for line in re.findall(r"^unset (.*)$", step9, re.MULTILINE) for name in line.split()}
    assert unset == {*old, f"{PREFIX}NEW_LAYOUT"}


@pytest.mark.servers
def test_the_variables_of_the_index_are_those_that_the_tests_set(pipeline: Pipeline) -> None:
    """So that the commands have no others."""
    [code] = [block.code for block in blocks(INDEX)]
    named, bound = {*re.findall(r"(\w+)=", code)}, {*pipeline.shell.environment}
    assert named <= bound
    assert {name for name in bound if name.startswith("DDB_")} | {"TABLE", "FUNCTION"} <= named


def test_the_actions_are_those_of_the_commands() -> None:
    """Of each command of `aws` on any page."""
    called = {
        tuple(words)
        for page in RUNBOOKS.glob("*.md")
        for block in blocks(page)
        for words in re.findall(r"\baws ([a-z]+) (?:(wait) )?([a-z-]+)", block.code)
    }
    needed = set()
    for service, waits, operation in called:
        client: Any = boto3.client(service, region_name="us-east-1")
        name = operation.replace("-", "_")
        name = client.get_waiter(name).config.operation if waits else client.meta.method_to_api_mapping[name]
        needed.add(f"{service}:{name}")
    section = INDEX.read_text(encoding="utf-8").partition("## Permissions")[2]
    assert re.findall(r"`(\w+:\w+)`", section) == sorted(needed)


class Case:
    """A row of the table: what the cache has, and whether there is a guard."""

    def __init__(self, number: int, row: list[str]) -> None:
        self.id = str(number)
        has, guard, *self.cells = row
        self.in_table = "the table no item" not in has
        self.in_cache = not has.startswith("nothing")
        self.guarded = guard == "there"
        assert guard in ("there", "none")

    def spoil(self, client: redis.Redis) -> None:
        """Bring the cache to what the row says."""
        client.delete(KEY.format(self.id), guard_key(KEY.format(self.id)))
        if self.in_cache:
            client.set(KEY.format(self.id), b'{"id":"%s","value":1}' % self.id.encode())
        if self.guarded:
            client.set(guard_key(KEY.format(self.id)), GUARD, ex=90_000)

    def mended(self, client: redis.Redis) -> str:
        """Whether the cache has what it should."""
        right = b'{"id":"%s","value":2}' % self.id.encode() if self.in_table else None
        return "yes" if client.get(KEY.format(self.id)) == right else "no"


@pytest.mark.servers
def test_what_mends_what_is_as_the_table_says(
    region_of: Callable[[str], Region], redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Each tool on each row."""
    cases = [Case(number, row) for number, row in enumerate(rows(INDEX, "the cache has"))]
    assert len({(case.in_table, case.in_cache, case.guarded) for case in cases}) == len(cases) == 6
    server, client, _ = region_of("us-east-1")
    table = Table(f"mends-{os.getpid()}", server, client)
    for case in cases:
        if case.in_table:
            table.put(case.id, 2)
    write_export(
        tmp_path,
        [{"id": case.id, "value": 2} for case in cases if case.in_table],
        kind="incremental",
        removed=[{"id": case.id} for case in cases if not case.in_table],
        table_arn=table.stream_arn.partition("/stream/")[0],
        exported_at=time.time() + 120,  # the table is younger than an export's minute
    )
    projection = Projection(KeyTemplate("users:{id}"))
    from_export = BackfillOptions(from_export=str(tmp_path), read_again=True)
    targets = [RepairTarget(KEY.format(case.id)) for case in cases]
    tools: list[Callable[[], object]] = [
        lambda: prepare_backfill(redis_client, projection, table.client, table.name).run(),
        lambda: prepare_backfill(redis_client, projection, table.client, table.name, from_export).run(),
        lambda: [*repair(redis_client, projection, table.client, table.name, targets, apply=True)],
    ]
    for column, tool in enumerate(tools):
        for case in cases:
            case.spoil(redis_client)
        tool()
        assert [case.mended(redis_client) for case in cases] == [case.cells[column] for case in cases]
