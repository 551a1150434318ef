"""The new layout among the settings: one line, and the rest of what two layouts must have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ddb_cache_sync import BothLayouts, ConfigurationError, Replicator
from ddb_cache_sync.core.diagnosis.configured import configured_for
from ddb_cache_sync.settings import PREFIX, Settings
from ddb_cache_sync.testing import MemoryCache, MemoryTable

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, new: str, old: str = 'key_template = "users:{id}"', **variables: str) -> Settings:
    """The old layout's settings, with one line for the file of the new one."""
    (folder / "new.toml").write_text(new, encoding="utf-8")
    (folder / "old.toml").write_text(f'new_layout = "{folder / "new.toml"}"\n{old}', encoding="utf-8")
    environment = {PREFIX + name: value for name, value in variables.items()}
    return Settings.from_environment({PREFIX + "CONFIG": str(folder / "old.toml"), **environment})


def test_one_line_puts_a_new_layout_beside_the_old_one(tmp_path: Path) -> None:
    """In the file; and so does a variable."""
    cache, table = MemoryCache(), MemoryTable()
    table.put({"id": "1"})
    in_file = settings(tmp_path, 'key_template = "v2:{id}"\nencoding = "hash"')
    environment = {PREFIX + "NEW_LAYOUT": str(tmp_path / "new.toml"), PREFIX + "KEY_TEMPLATE": "users:{id}"}
    for chosen in (in_file, Settings.from_environment(environment)):
        cache.values.clear()
        Replicator(cache, chosen.router()).apply(table.records)
        assert cache.values == {"users:1": b'{"id":"1"}', "v2:1": {"id": b"1"}}


def test_routes_that_stay_are_shared(tmp_path: Path) -> None:
    """Those that say the same in both files; so only what differs is filled, and dropped."""
    stays = '[[routes]]\ntable = "orders"\nkey_template = "orders:{id}"\n'
    chosen = settings(
        tmp_path,
        f'{stays}[[routes]]\ntable = "users"\nkey_template = "v2:{{id}}"',
        f'[[routes]]\ntable = "users"\nkey_template = "users:{{id}}"\n{stays}',
    )
    router = chosen.router()
    assert isinstance(router, BothLayouts)
    for name, keys in (("orders", ["orders:1"]), ("users", ["users:1", "v2:1"])):
        cache, table = MemoryCache(), MemoryTable(name=name)
        table.put({"id": "1"})
        Replicator(cache, router).apply(table.records)
        assert [*cache.values] == keys
    named: Any = configured_for(router, "users")
    assert [each.name for each in named] == ["routes[0]", "new layout routes[1]"]


def test_a_new_layout_makes_another_job(tmp_path: Path) -> None:
    """So that no checkpoint of the one is taken for one of the other."""
    first = settings(tmp_path, 'key_template = "v2:{id}"').fingerprint
    assert settings(tmp_path, 'key_template = "v3:{id}"').fingerprint != first
    assert settings(tmp_path, 'key_template = "v2:{id}"').fingerprint == first


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("", "could give the same key|leaves|can't be told"),
        ('key_template = "users:{id}"', "routes say the same as those of the old layout"),
        ('key_template = "users:{id}"\nencoding = "hash"', "could give the same key"),
        ('key_template = "v2:{id}"\nguard_ttl_seconds = 60', "guard_ttl_seconds is not that of the old layout"),
        ('key_template = "v2:{id}"\nredis_url = "rediss://SECRET"', "redis_url is not that of the old layout"),
        ('key_template = "v2:{id}"\nnew_layout = "new.toml"', "names a new layout itself"),
        ('[[routes]]\nkey_template = "v2"', r"new\.toml: routes\[0\]: .* names no attribute"),
    ],
)
def test_what_can_not_stand_beside_it_is_refused(tmp_path: Path, new: str, problem: str) -> None:
    """When the settings are checked, and without any secret."""
    chosen = settings(tmp_path, new, old='key_template = "users:{id}"')
    table = MemoryTable(name="users")
    table.put({"id": "1"})
    with pytest.raises(ConfigurationError, match=problem) as caught:
        Replicator(MemoryCache(), chosen.router()).apply(table.records)
    assert "SECRET" not in str(caught.value)


def test_what_both_have_in_common_may_be_said_twice(tmp_path: Path) -> None:
    """Since the file will stand alone one day; the environment's guard prefix is both's."""
    same = 'key_template = "v2:{id}"\nguard_ttl_seconds = 60'
    router = settings(tmp_path, same, GUARD_TTL_SECONDS="60", GUARD_PREFIX="g:").router()
    assert isinstance(router, BothLayouts)


def test_without_a_new_layout_there_are_no_two() -> None:
    """And it is said how to name one."""
    with pytest.raises(ConfigurationError, match="DDB_CACHE_SYNC_NEW_LAYOUT, or --new-layout"):
        Settings().layouts()
