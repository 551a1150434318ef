"""What is found wrong with a configuration without connecting to anything."""

import sys
from pathlib import Path

import pytest

from ddb_cache_sync.config_check import CheckedFile, checked_file, mistakes_of_settings
from ddb_cache_sync.settings import PREFIX, Settings


def checked(folder: Path, text: str) -> CheckedFile:
    """What there is to say of a file with this text."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return checked_file(path)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong, without the file's name."""
    found = checked(folder, text)
    assert (found.settings is None) == bool(found.problems)
    file = f"{folder / 'config.toml'}: "
    assert all(each.startswith(file) for each in found.problems)
    return [each.removeprefix(file) for each in found.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('stream_label = "yesterday"', "stream_label: not a stream label"),
        ('redis_url = "http://user:SECRET@host"', "the cache's URL has the scheme 'http'"),
        ('key_template = "u"', "key template 'u' names no attribute"),
        ('key_template = "u"\nredis_url = "redis://localhost:1"', "key template 'u' names no attribute"),
        ('guard_prefix = "{"', "guard_prefix: a guard prefix that is empty or has braces"),
        ('new_layout = "none.toml"', "new_layout: can't read none.toml"),
        ('mode = "refresh"\n[[routes]]', "mode set for all items, beside the routes"),
        ('[[routes]]\n[[routes]]\ntable = "a"', "routes[1] is never reached: routes[0] takes"),
        ('config = "x.toml"', "config is not a key. A file can't name another."),
        ('verify_looks = "5,1,30"', "verify_looks: looks that are not in rising order"),
        ("routes = 1", "routes: Input should be a list"),
    ],
)
def test_each_mistake_is_found(tmp_path: Path, text: str, problem: str) -> None:
    """Once, with the file's name; no secret is repeated."""
    [found] = problems(tmp_path, text)
    assert found.startswith(problem)
    assert "SECRET" not in found


def test_what_is_right_has_neither_mistake_nor_warning(tmp_path: Path) -> None:
    """Nothing is connected to."""
    text = 'redis_url = "rediss://localhost:1?cluster=true"\nmetrics = ["log", "emf"]\nguard_ttl_seconds = 86401'
    found = checked(tmp_path, text)
    assert found == CheckedFile(found.settings, (), ())
    assert found.settings is not None


def test_all_mistakes_are_named_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Those of a key by itself, and those that show only when routes, client and so on are made of it."""
    text = """
        zzz = 1
        redis_url = "http://host"
        guard_prefix = "{"
        verify_looks = "5,1,30"
        stream_label = "yesterday"

        [[routes]]
        key_template = "u"

        [[routes]]
        mod = "refresh"
        mode = "Refresh"
        key = { PK = 1 }

        [[routes]]
        include = []
    """
    assert [each.split(" ")[0].rstrip(":") for each in problems(tmp_path, text)] == [
        *("zzz", "the", "guard_prefix", "verify_looks", "stream_label", "routes[0]"),
        *("routes[1].mod", "routes[1].mode", "routes[1].key.PK", "routes[2]"),
    ]


def test_what_only_follows_from_a_mistake_is_not_named(tmp_path: Path) -> None:
    """Without its `kez` the first route would take all items of the second; with both layouts' prefix wrong, once."""
    text = '[[routes]]\ntable = "a"\nkez = { PK = "U*" }\n[[routes]]\ntable = "a"'
    assert problems(tmp_path, text) == ["routes[0].kez is not a key. Did you mean routes[0].key?"]
    (tmp_path / "new.toml").write_text('guard_prefix = "{"\nkey_template = "v2:{id}"', encoding="utf-8")
    [found] = problems(tmp_path, f'guard_prefix = "{{"\nnew_layout = "{(tmp_path / "new.toml").as_posix()}"')
    assert found.startswith("guard_prefix: ")


def test_traces_need_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is missing the function would fail at its first batch; a command that makes none does without it."""
    text = 'metrics = ["log", "otel"]'
    assert problems(tmp_path, text) == []
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    [found] = problems(tmp_path, text)
    assert found.startswith(
        "metrics: OpenTelemetry is not installed. Install it with pip install 'ddb-cache-sync[otel]'"
    )
    assert Settings.from_file(tmp_path / "config.toml").metrics == ("log", "otel")


@pytest.mark.parametrize("seconds", [1, 86_400])
def test_guards_that_go_before_the_stream_forgets_are_warned_of(tmp_path: Path, seconds: int) -> None:
    """And no mistake: small set-ups for tests have them."""
    found = checked(tmp_path, f"guard_ttl_seconds = {seconds}")
    assert found.problems == ()
    [warning] = found.warnings
    assert "a record can come again for 24 h, and an old one then counts as new. Set DDB_CACHE_SYNC_GUARD" in warning


def test_settings_of_the_environment_can_be_checked_too() -> None:
    """They have no file to name."""
    settings = Settings.from_environment({PREFIX + "REDIS_URL": "http://host", PREFIX + "KEY_TEMPLATE": "u"})
    assert [each.place for each in mistakes_of_settings(settings)] == [("key_template",), ("redis_url",)]
    assert not any("None" in each.problem for each in mistakes_of_settings(settings))
