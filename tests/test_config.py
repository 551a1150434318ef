"""Settings from a configuration file, and what goes before it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ddb_cache_sync import ConfigurationError, EntityRouter, Expiry, JsonEncoding, Projection, Replicator, Route
from ddb_cache_sync.config import RouteSettings
from ddb_cache_sync.config_schema import config_schema
from ddb_cache_sync.core.projection import Router
from ddb_cache_sync.settings import FILE_KEYS, PREFIX, Settings
from ddb_cache_sync.sync.batch import Batch
from ddb_cache_sync.testing import stream_record

KEY = {"PK": "USER#1", "SK": "PROFILE"}


def file_of(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def written(router: Router, item: dict[str, object], table: str = "app") -> Mapping[str, object]:
    """What the router writes for an item, by cache key."""
    batch = Batch([stream_record(KEY, KEY | item, table=table)], router)
    values = {write.key: write.value for write in batch.writes()}
    assert not batch.errors
    return values


def test_a_file_says_what_the_environment_can_say(tmp_path: Path) -> None:
    """By the same names, with numbers as numbers; the replicator is made of it."""
    text = 'redis_url = "redis://c"\nkey_template = "u:{PK}:{SK}"\nguard_ttl_seconds = 60\nmetrics = ["log", "emf"]'
    settings = Settings.from_environment({PREFIX + "CONFIG": str(file_of(tmp_path, text))})
    assert (settings.key_template, settings.guard_ttl_seconds, settings.metrics) == ("u:{PK}:{SK}", 60, ("log", "emf"))
    assert isinstance(settings.replicator(), Replicator)
    assert written(settings.router(), {}) == {"u:USER#1:PROFILE": b'{"PK":"USER#1","SK":"PROFILE"}'}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors put one before UTF-8."""
    path = file_of(tmp_path, '\ufeffkey_template = "u:{id}"')
    assert Settings.from_file(path).key_template == "u:{id}"


def test_the_environment_goes_before_the_file_and_arguments_before_both(tmp_path: Path) -> None:
    """Setting by setting; what nobody says is the default."""
    path = file_of(tmp_path, 'key_template = "file:{id}"\nguard_prefix = "file:"\nguard_ttl_seconds = 60')
    environment = {PREFIX + "CONFIG": str(path), PREFIX + "KEY_TEMPLATE": "env:{id}", PREFIX + "GUARD_PREFIX": "env:"}
    settings = Settings.from_environment(environment, {"key_template": "argument:{id}"})
    assert (settings.key_template, settings.guard_prefix, settings.guard_ttl_seconds) == ("argument:{id}", "env:", 60)
    assert settings.encoding == "json"
    other = file_of(tmp_path, 'encoding = "hash"')
    assert Settings.from_environment({PREFIX + "CONFIG": "none"}, {"config": str(other)}).encoding == "hash"


def test_routes_say_where_each_item_goes(tmp_path: Path) -> None:
    """By table, key and attribute, in the order of the file."""
    text = """
        guard_prefix = "g:"
        unmatched = "ignore"

        [[routes]]
        table = "app"
        key = { PK = "USER#*", SK = "PROFILE" }
        attribute = { type = "user" }
        key_template = "users:{PK}:{SK}"
        exclude = ["type"]

        [[routes]]
        table = "other"
        include = ["PK"]
    """
    router = Settings.from_file(file_of(tmp_path, text)).router()
    assert isinstance(router, EntityRouter)
    assert {route.projection.guard_prefix for route in router.routes} == {"g:"}
    user = b'{"PK":"USER#1","SK":"PROFILE"}'
    assert written(router, {"type": "user"}) == {"users:USER#1:PROFILE": user}
    assert written(router, {"type": "order"}) == {"users:USER#1:PROFILE": None}
    assert written(router, {}, "other") == {"other:USER#1:PROFILE": b'{"PK":"USER#1"}'}
    assert written(router, {}, "foreign") == {}


def test_one_route_without_conditions_is_a_projection(tmp_path: Path) -> None:
    """Nothing has to be looked at to choose it."""
    router = Settings.from_file(file_of(tmp_path, '[[routes]]\nmode = "invalidate"')).router()
    assert isinstance(router, Projection)
    assert router.mode == "invalidate"


def test_every_key_of_a_route_reaches_its_projection() -> None:
    """None is read and then forgotten."""
    route = RouteSettings(
        table="app",
        key={"PK": "U*"},
        attribute={"type": "user"},
        key_template="u:{PK}",
        encoding="attribute:name",
        mode="refresh",
        ttl_attribute="expires",
        value_ttl_seconds=60,
        keep_ttl_removals=True,
        include=("name",),
    ).route("g:")
    projection = route.projection
    assert route == Route(projection, table="app", key={"PK": "U*"}, attribute={"type": "user"})
    assert (projection.mode, projection.keeps_ttl_removals, projection.guard_prefix) == ("refresh", True, "g:")
    assert repr(projection.keys) == "KeyTemplate('u:{PK}')"
    assert repr(projection._expiry) == repr(Expiry("expires", seconds=60.0))
    assert len(projection._transforms) == 1
    assert not isinstance(projection._encoding, JsonEncoding)
    assert RouteSettings().projection("g:")._expiry is None


def test_lookup_keys_are_named_with_what_they_hold(tmp_path: Path) -> None:
    """As a table of templates."""
    text = '[[routes]]\nkey_template = "users:{id}"\nlookups = { "users:by-email:{email}" = "item" }'
    router = Settings.from_file(file_of(tmp_path, text)).router()
    assert isinstance(router, Projection)
    assert [(each.template, each.holds) for each in router.lookups] == [("users:by-email:{email}", "item")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('redis_url = "SECRET\n', r"is not TOML \(line 1, column [0-9]+\)\. Texts stand in quotes"),
        ("a = 1\nredis_url = rediss://SECRET", r"is not TOML \(line 2, column 13\)"),
        ("a = 1\na = 2\n", r"is not TOML \(line 2, column "),
        ("a = ", r"is not TOML \(at its end\)"),
        ("\r", r"is not TOML \(line 1, column 1\)"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("guard_ttl_seconds = " + "9" * 5000, "is not TOML"),
        ("guard_ttl_seconds = " + "9" * 400, ": guard_ttl_seconds: Input should be less than or equal to "),
        ("value_ttl_seconds = " + "9" * 400, ": value_ttl_seconds: Input should be less than or equal to "),
        ("[[routes]]\nvalue_ttl_seconds = 1e300", r": routes\[0\]\.value_ttl_seconds: Input should be less than or "),
        ('redis_ulr = "SECRET"', r": redis_ulr is not a key\. Did you mean redis_url\?$"),
        ('zzz = "SECRET"', r": zzz is not a key\. There are redis_url, "),
        ('config = "SECRET"', r": config is not a key\. A file can't name another\.$"),
        (
            '[[routes]]\nkeys = "SECRET"',
            r": routes\[0\]\.keys is not a key\. Did you mean routes\[0\]\.key_template\?$",
        ),
        ('url = "SECRET"', r": url is not a key\. Did you mean redis_url\?$"),
        ('[[routes]]\nmod = "SECRET"', r": routes\[0\]\.mod is not a key\. Did you mean routes\[0\]\.mode\?$"),
        ('[[routes]]\n[[routes]]\nmode = "SECRET"', r": routes\[1\]\.mode: Input should be 'replicate', "),
        ('[[routes]]\nencoding = "SECRET"', r": routes\[0\]\.encoding: not the name of an encoding"),
        ("[[routes]]\nkey = { PK = 1 }", r": routes\[0\]\.key\.PK: Input should be a valid string$"),
        ('[[routes]]\nkey = "SECRET"', r": routes\[0\]\.key: Input should be a table of names and texts$"),
        ('[[routes]]\ninclude = "SECRET"', r": routes\[0\]\.include: Input should be a list$"),
        ("[[routes]]\nvalue_ttl_seconds = nan", r": routes\[0\]\.value_ttl_seconds: Input should be a finite number$"),
        ("[routes]", r": routes: Input should be a list\. Write \[\[routes\]\] above each of them\.$"),
        ('routes = ["SECRET"]', r": routes\[0\]: Input should be a table$"),
        ("routes = []", ": routes: Input should have at least 1 item$"),
        ("redis_url = 1", ": redis_url: Input should be a valid string$"),
        ('guard_ttl_seconds = "60"', ": guard_ttl_seconds: Input should be a valid integer$"),
        ("allow_plaintext = 1", ": allow_plaintext: Input should be a valid boolean$"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """And not repeated: it may be a secret."""
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        Settings.from_environment({PREFIX + "CONFIG": str(path)})
    assert str(path) in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[routes]]\nkey_template = "u"', r"routes\[0\]: key template 'u' names no attribute\. Name one"),
        (
            "[[routes]]\nkey = {}",
            r"routes\[0\]: a route whose key does not map names to patterns\. Give key names and patterns, such as",
        ),
        ("[[routes]]\ninclude = []", r"routes\[0\]: include was given no names\. Name top-level attributes, such as"),
        (
            '[[routes]]\nkey = { PK = "A*", SK = "B#*" }\nkey_template = "u:{PK}"',
            r"routes\[0\]: key template .* leaves out the key attribute SK, .* Name it in braces, \{SK\}, or let",
        ),
        (
            '[[routes]]\ntable = "a"\nkey = { SK = "A*" }\n[[routes]]\ntable = "a"\nkey_template = "o:{PK}"',
            r"routes\[1\]: key template .* leaves out SK, which is part of table a's primary key by routes\[0\]",
        ),
        ('[[routes]]\ninclude = ["a"]\nexclude = ["b"]', r"routes\[0\]: include and exclude are both set\. Take one"),
        ('[[routes]]\n[[routes]]\ntable = "a"', r"routes\[1\] is never reached: routes\[0\] takes"),
    ],
)
def test_routes_that_can_not_be_right_are_refused_before_any_record(tmp_path: Path, text: str, problem: str) -> None:
    """With the file and the place."""
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigurationError, match=f"config.toml: {problem}") as refused:
        Settings.from_file(path).router()
    assert not re.search(r"[A-Z][a-z]+(Template|Encoding|Key)\(|\w+=[\[{(]|\w+\(\)", str(refused.value)), (
        "speaks Python"
    )


def test_a_fixed_sort_key_may_be_left_out(tmp_path: Path) -> None:
    """As `key` gives it one value."""
    text = '[[routes]]\nkey = { PK = "USER#*", SK = "PROFILE" }\nkey_template = "profile:{PK}"'
    router = Settings.from_file(file_of(tmp_path, text)).router()
    assert [*written(router, {})] == ["profile:USER#1"]


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=f"^can't read {path}: {reason}"):
            Settings.from_file(path)
    path = tmp_path / "config.toml"
    path.write_bytes(b'a = "\xff"')
    with pytest.raises(ConfigurationError, match=r"config\.toml is not TOML: it is not UTF-8"):
        Settings.from_file(path)


@pytest.mark.parametrize("where", ["environment", "argument", "file"])
def test_a_setting_for_all_items_is_refused_beside_routes(tmp_path: Path, where: str) -> None:
    """It could mean each of them, or none."""
    top = 'key_template = "u:{id}"\n' if where == "file" else ""
    environment = {PREFIX + "CONFIG": str(file_of(tmp_path, f'{top}[[routes]]\ntable = "a"'))}
    if where == "environment":
        environment[PREFIX + "KEY_TEMPLATE"] = "u:{id}"
    over = {"key_template": "u:{id}"} if where == "argument" else {}
    with pytest.raises(ConfigurationError, match=r"^key_template set for all items.* Set it in each route"):
        Settings.from_environment(environment, over).router()


def test_routes_are_no_variable() -> None:
    """Nobody could write them in one."""
    with pytest.raises(ConfigurationError, match=f"^{PREFIX}ROUTES is not a setting"):
        Settings.from_environment({PREFIX + "ROUTES": "SECRET"})


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    """Each on a line, in the order of the file."""
    text = 'zzz = "SECRET"\nmode = "SECRET"\n[[routes]]\n[[routes]]\nmod = 1\nkey_template = 1\nencoding = "SECRET"'
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_file(path)
    places = [line.removeprefix(f"{path}: ").partition(" ")[0].rstrip(":") for line in caught.value.problem.split("\n")]
    assert places == ["zzz", "mode", "routes[1].mod", "routes[1].key_template", "routes[1].encoding"]
    assert "SECRET" not in caught.value.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('verify_looks = "5,1,30"', ": verify_looks: looks that are not in rising order. Write seconds, such as "),
        ('verify_looks = "0,1"', ": verify_looks: looks that are not all above 0 seconds. Write seconds, such as "),
        ('verify_looks = "1,1..5"', ": verify_looks: the looks are no list of seconds"),
        ('verify_sample = "0"', ": verify_sample: a sample of no items"),
        ('verify_sample = "1.5"', ": verify_sample: the sample is neither a number of items nor a share"),
        ('verify_sample = "200%"', ": verify_sample: a sample that is no share of the items"),
        ('quarantine = "s3:/bucket"', ": quarantine: neither s3://bucket/prefix, nor "),
    ],
)
def test_what_a_function_would_stumble_over_later_is_refused_when_it_is_read(
    tmp_path: Path, text: str, problem: str
) -> None:
    """In a file and in the environment, not at the first poison record or the first verification."""
    with pytest.raises(ConfigurationError, match=problem):
        Settings.from_file(file_of(tmp_path, text))
    name, value = text.split(" = ")
    with pytest.raises(ConfigurationError, match=problem.removeprefix(f": {name}")):
        Settings.from_environment({PREFIX + name.upper(): value.strip('"')})


def test_the_schema_has_every_key_with_its_meaning() -> None:
    """What the docstring of its field says."""
    schema = config_schema()
    assert [*schema["properties"]] == [*FILE_KEYS]
    route = schema["$defs"]["RouteSettings"]
    assert [*route["properties"]] == [*RouteSettings.model_fields]
    assert schema["additionalProperties"] is route["additionalProperties"] is False
    assert all(each["description"] for each in [*schema["properties"].values(), *route["properties"].values()])
    assert route["properties"]["mode"]["enum"] == ["replicate", "invalidate", "refresh"]
