from pathlib import Path

from tests.cli.conftest import Cli

from ddb_cache_sync.config_schema import config_schema

GOOD = """
redis_url = "rediss://user:SECRET@my-cache:6379"
unmatched = "ignore"

[[routes]]
table = "app"
key = { PK = "USER#*" }
attribute = { type = "user" }
key_template = "users:{PK}:{SK}"

[[routes]]
table = "orders"
mode = "refresh"
"""


def file_of(folder: Path, text: str) -> str:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_good_file_is_summed_up(cli: Cli, tmp_path: Path) -> None:
    """What it sets by name, without values, which may be secret; and its routes."""
    path = file_of(tmp_path, GOOD)
    result = cli("config", "check", path)
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        f"{path} is right. Settings: redis_url, unmatched. Unmatched items: ignore.\n"
        "route  table   key        attribute  key template     encoding  mode\n"
        "0      app     PK=USER#*  type=user  users:{PK}:{SK}  json      replicate\n"
        "1      orders  any        any        default          json      refresh\n"
    )


def test_a_good_file_is_summed_up_as_json(cli: Cli, tmp_path: Path) -> None:
    """One object, each route with all of its keys."""
    result = cli("config", "check", file_of(tmp_path, GOOD), "--json")
    assert (result.code, result.err) == (0, "")
    assert (result.json["valid"], result.json["problems"], result.json["warnings"]) == (True, [], [])
    assert (result.json["settings"], result.json["unmatched"]) == (["redis_url", "unmatched"], "ignore")
    assert [(route["table"], route["mode"]) for route in result.json["routes"]] == [
        ("app", "replicate"),
        ("orders", "refresh"),
    ]
    assert "SECRET" not in result.out


def test_a_file_without_routes_has_one_for_all_items(cli: Cli, tmp_path: Path) -> None:
    """Made of the settings at its top."""
    result = cli("config", "check", file_of(tmp_path, 'key_template = "u:{id}"'), "--json")
    [route] = result.json["routes"]
    assert (route["table"], route["key_template"]) == (None, "u:{id}")


def test_a_wrong_file_fails_with_the_place(cli: Cli, tmp_path: Path) -> None:
    """Exit code 1 and one line on stderr; with --json the same as an object too."""
    path = file_of(tmp_path, '[[routes]]\nmode = "SECRET"')
    result = cli("config", "check", path)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"wrong: {path}: routes[0].mode: ")
    assert "SECRET" not in result.err
    shown = cli("config", "check", path, "--json")
    assert (shown.code, shown.err) == (1, result.err)
    [problem] = shown.json["problems"]
    assert (shown.json["valid"], f"wrong: {problem}\n") == (False, result.err)
    assert cli("config", "check", str(tmp_path / "none.toml")).code == 1


def test_all_that_is_wrong_is_named_at_once(cli: Cli, tmp_path: Path) -> None:
    """A line each, and in a list with --json."""
    path = file_of(tmp_path, 'stream_label = "x"\nmode = "SECRET"\n[[routes]]\nkey_template = "u"')
    result = cli("config", "check", path, "--json")
    assert result.code == 1
    assert [f"wrong: {each}" for each in result.json["problems"]] == result.err.splitlines()
    assert [each.removeprefix(f"{path}: ").partition(":")[0] for each in result.json["problems"]] == [
        "stream_label",
        "mode",
        "routes[0]",
    ]


def test_what_may_be_meant_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    """Small set-ups have guards that live shorter than a stream: exit code 0 all the same."""
    path = file_of(tmp_path, "guard_ttl_seconds = 60")
    result = cli("config", "check", path)
    assert (result.code, result.out.startswith(f"{path} is right.")) == (0, True)
    assert result.err.startswith("warning: guard_ttl_seconds: 60 s: a record can come again for 24 h, and an old one")
    shown = cli("config", "check", path, "--json")
    assert ([f"warning: {each}\n" for each in shown.json["warnings"]], shown.json["valid"]) == ([result.err], True)


def test_the_schema_is_json(cli: Cli) -> None:
    """With --json on one line."""
    shown, line = cli("config", "schema"), cli("config", "schema", "--json")
    assert (shown.code, shown.err, line.code) == (0, "", 0)
    assert line.json == config_schema()
    assert shown.out.count("\n") > 100


def test_the_file_can_be_given_as_an_option(cli: Cli, tmp_path: Path) -> None:
    """Before the variable; a dry run shows every cache key that a record concerns."""
    path = file_of(tmp_path, '[[routes]]\nkey_template = "file:{id}"')
    event = Path(__file__).parents[2] / "examples" / "event.json"
    result = cli("apply", str(event), "--dry-run", "--config", path)
    assert (result.code, "file:42" in result.out) == (0, True)
    wrong = cli("apply", str(event), "--dry-run", "--config", path, "--key-template", "u:{id}")
    assert (wrong.code, "beside the routes of" in wrong.err) == (2, True)
