"""Settings from the environment."""

import pytest

from ddb_cache_sync import ConfigurationError, Image, ItemKey, Replicator, Upsert, Version
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.settings import PREFIX, Settings

URL = "rediss://user:SECRET@my-cache:6379"


def read(**variables: str) -> Settings:
    """Settings from these variables, prefix added."""
    return Settings.from_environment({PREFIX + name: value for name, value in variables.items()})


def test_each_setting_is_a_variable() -> None:
    """Of the name `DDB_CACHE_SYNC_<FIELD>`."""
    settings = Settings.from_environment(
        {
            "DDB_CACHE_SYNC_REDIS_URL": URL,
            "DDB_CACHE_SYNC_KEY_TEMPLATE": "users:{id}",
            "DDB_CACHE_SYNC_ENCODING": "json",
            "DDB_CACHE_SYNC_MODE": "refresh",
            "DDB_CACHE_SYNC_TTL_ATTRIBUTE": "expires_at",
            "DDB_CACHE_SYNC_VALUE_TTL_SECONDS": "3600",
            "DDB_CACHE_SYNC_GUARD_PREFIX": "guard:",
            "DDB_CACHE_SYNC_GUARD_TTL_SECONDS": "60",
            "DDB_CACHE_SYNC_STREAM_LABEL": "2025-04-23T13:37:16.991",
            "DDB_CACHE_SYNC_DEADLINE_MARGIN_MS": "0",
            "DDB_CACHE_SYNC_METRICS": "emf, log",
        }
    )
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == URL
    assert (settings.key_template, settings.encoding) == ("users:{id}", "json")
    assert (settings.mode, settings.ttl_attribute, settings.value_ttl_seconds) == ("refresh", "expires_at", 3600)
    assert (settings.guard_prefix, settings.guard_ttl_seconds) == ("guard:", 60)
    assert (settings.stream_label, settings.deadline_margin_ms) == ("2025-04-23T13:37:16.991", 0)
    assert settings.metrics == ("emf", "log")
    assert isinstance(settings.replicator(), Replicator)


def test_nothing_set_is_the_defaults() -> None:
    """Other programs' variables are none of ours."""
    settings = Settings.from_environment({"PATH": "/bin", "REDIS_URL": URL, "AWS_REGION": "eu-west-1"})
    assert settings == Settings()
    assert (settings.redis_url, settings.key_template, settings.stream_label) == (None, None, None)
    assert (settings.guard_prefix, settings.guard_ttl_seconds) == (DEFAULT_GUARD_PREFIX, DEFAULT_GUARD_TTL_SECONDS)


def test_an_empty_variable_counts_as_unset() -> None:
    """Which is how templates of infrastructure leave one out."""
    assert read(REDIS_URL="", GUARD_TTL_SECONDS="", ENCODING="", KEY_TEMPLATE="") == Settings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("REDIS_URI", "REDIS_URL"),
        ("KEYTEMPLATE", "KEY_TEMPLATE"),
        ("GUARD_TTL", "GUARD_TTL_SECONDS"),
        ("ENCODNG", "ENCODING"),
    ],
)
def test_an_unknown_variable_suggests_the_nearest(name: str, nearest: str) -> None:
    """A mistyped setting must not be left out in silence; its value is not repeated."""
    problem = f"^{PREFIX}{name} is not a setting. Did you mean {PREFIX}{nearest}\\?$"
    with pytest.raises(ConfigurationError, match=problem):
        read(**{name: "SECRET"})


def test_a_variable_like_no_other_lists_what_there_is() -> None:
    """So that the right one can be picked."""
    with pytest.raises(ConfigurationError, match=f"^{PREFIX}ZZZ is not a setting. There are .*{PREFIX}REDIS_URL"):
        read(ZZZ="SECRET")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENCODING", "SECRET"),
        ("MODE", "SECRET"),
        ("VALUE_TTL_SECONDS", "SECRET"),
        ("VALUE_TTL_SECONDS", "0"),
        ("GUARD_TTL_SECONDS", "SECRET"),
        ("GUARD_TTL_SECONDS", "0"),
        ("GUARD_TTL_SECONDS", "1.5"),
        ("GUARD_TTL_SECONDS", "99999999999999999999"),
        ("VALUE_TTL_SECONDS", "9" * 400),
        ("DEADLINE_MARGIN_MS", "-1"),
        ("DEADLINE_MARGIN_MS", "SECRET"),
        ("METRICS", "SECRET"),
        ("METRICS", "emf,SECRET"),
        ("METRICS", "emf,"),
        ("METRICS", "emf log"),
    ],
)
def test_a_bad_value_names_its_variable_and_is_not_repeated(name: str, value: str) -> None:
    """It may be a password that ended up in the wrong place."""
    with pytest.raises(ConfigurationError, match=f"^{PREFIX}{name}: (?!.*SECRET)"):
        read(**{name: value})


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Each variable on a line; of unknown ones, which may be typing mistakes, first."""
    with pytest.raises(ConfigurationError) as caught:
        read(ZZY="1", MODE="SECRET", REDIS_URI="SECRET")
    assert [line.split()[0] for line in caught.value.problem.split("\n")] == [PREFIX + "REDIS_URI", PREFIX + "ZZY"]
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment(
            {PREFIX + "MODE": "SECRET", PREFIX + "METRICS": "SECRET,emf,SECRET"}, {"encoding": "SECRET"}
        )
    named = [line.partition(": ")[0] for line in caught.value.problem.split("\n")]
    assert named == ["--encoding", PREFIX + "MODE", PREFIX + "METRICS"]
    assert "SECRET" not in caught.value.problem


@pytest.mark.parametrize("text", ["json", "dynamodb-json", "hash", "attribute:name", "json+zlib", "attribute:a+zstd"])
def test_an_encoding_is_set_by_its_name(text: str) -> None:
    """Of those that the library brings."""
    settings = read(REDIS_URL="redis://localhost", ENCODING=text)
    assert settings.encoding == text
    assert isinstance(settings.replicator(), Replicator)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SECRET", "not the name of an encoding. There are json, dynamodb-json, hash and attribute:NAME"),
        ("hash+zlib", "a hash can't be compressed"),
        ("attribute:", "an attribute's name is a text that is not empty"),
    ],
)
def test_an_encoding_that_there_is_not_is_refused_when_settings_are_read(text: str, problem: str) -> None:
    """With the names that there are."""
    with pytest.raises(ConfigurationError, match=f"^{PREFIX}ENCODING: {problem}(?!.*SECRET)"):
        read(ENCODING=text)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("REDIS_URL", "http://user:SECRET@host", "the scheme 'http'"),
        ("REDIS_URL", "rediss://user:SECRET@host:port", "the cache's URL can't be read"),
        ("KEY_TEMPLATE", "users", "names no attribute"),
        ("KEY_TEMPLATE", "users:{id}\udcff", "not valid Unicode"),
        ("GUARD_PREFIX", "{v}", "guard prefix"),
        ("GUARD_PREFIX", "v\udcff", "guard prefix that is no valid Unicode"),
        ("STREAM_LABEL", "yesterday", "stream_label: not a stream label"),
    ],
)
def test_a_setting_that_can_not_be_right_is_refused_before_any_record(name: str, value: str, problem: str) -> None:
    """When the replicator is built; a password in a URL is not repeated."""
    settings = read(**{"REDIS_URL": "redis://localhost", name: value})
    with pytest.raises(ConfigurationError, match=f"{problem}(?!.*SECRET)"):
        settings.replicator()


def test_mode_and_expiry_reach_the_writes() -> None:
    """The command line's dry run shows them too."""
    upsert = Upsert(
        ItemKey("T", Image({"id": {"S": "1"}})),
        Version.of(1, "1"),
        Image({"id": {"S": "1"}, "expires_at": {"N": "2000"}}),
    )

    def write_with(now: float = 0.0, **variables: str) -> Write:
        [(projection, change)] = read(**variables).router().routed(upsert)
        return projection.write("k", change, now)

    write = write_with(1000.0, MODE="refresh", TTL_ATTRIBUTE="expires_at", VALUE_TTL_SECONDS="10")
    assert write.only_cached
    assert write.expires_at_ms is not None
    assert 1_009_000 <= write.expires_at_ms <= 1_010_000
    assert write_with(1000.0, TTL_ATTRIBUTE="expires_at").expires_at_ms == 2_000_000
    assert write_with(MODE="invalidate").value is None


def test_a_replicator_needs_a_cache() -> None:
    """The error says what to set."""
    with pytest.raises(ConfigurationError, match=f"^{PREFIX}REDIS_URL is not set. Set it to .*rediss://"):
        Settings().replicator()


def test_metrics_are_each_made_once() -> None:
    """However often they are named: twice would count everything twice."""
    assert read(METRICS="log").metrics == ("log",)
    assert read(METRICS="emf,log, emf ,otel").metrics == ("emf", "log", "otel")


def test_settings_show_no_secret() -> None:
    """They may be logged at start-up."""
    settings = read(REDIS_URL=URL)
    assert "SECRET" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"REDIS_URL": "redis://my-cache.abc123.0001.euw1.cache.amazonaws.com"}, "does without TLS"),
        ({"REDIS_URL": "rediss://cache.example.com", "IAM_USER": "app"}, "does not tell the name of the cache"),
        ({"REDIS_URL": "rediss://c", "IAM_USER": "app", "SECRET_ID": "s"}, "are both set"),
    ],
)
def test_a_way_to_log_in_that_can_not_work_is_refused(settings: dict[str, str], problem: str) -> None:
    """Plaintext to AWS, IAM without a cache name, two ways at once."""
    with pytest.raises(ConfigurationError, match=problem):
        read(**settings).replicator()


@pytest.mark.parametrize(
    "settings",
    [
        {"REDIS_URL": "redis://my-cache.abc123.0001.euw1.cache.amazonaws.com", "ALLOW_PLAINTEXT": "true"},
        {"REDIS_URL": "rediss://my-cache-abc123.serverless.euw1.cache.amazonaws.com:6379", "IAM_USER": "app"},
        {"REDIS_URL": "rediss://cache.example.com", "IAM_USER": "app", "IAM_CACHE_NAME": "my-cache"},
        {"REDIS_URL": "rediss://cache.example.com", "SECRET_ID": "my-secret"},
    ],
)
def test_every_way_to_log_in_can_be_set(settings: dict[str, str]) -> None:
    """Nothing is connected to, and no token or secret fetched, before the first record."""
    assert read(**settings).replicator() is not None


def test_the_fingerprint_tells_where_items_go_and_no_secret() -> None:
    """It is another for another cache, database or form of items; a password may change."""
    same = [URL, URL.replace("SECRET", "OTHER"), "rediss://my-cache:6379", "rediss://my-cache:6379?password=SECRET"]
    assert len({read(REDIS_URL=url).fingerprint for url in same}) == 1
    different = [
        read(REDIS_URL=URL),
        read(REDIS_URL=URL, GUARD_TTL_SECONDS="60", ENCODING="hash"),
        read(REDIS_URL=URL, KEY_TEMPLATE="users:{id}"),
        read(REDIS_URL=URL, GUARD_PREFIX="g:"),
        read(REDIS_URL=URL + "/1"),
        read(REDIS_URL=URL + "?db=1"),
        read(REDIS_URL="rediss://other:6379"),
        read(REDIS_URL="rediss://[nonsense"),
        read(),
    ]
    assert len({each.fingerprint for each in different}) == len(different)
    assert read(REDIS_URL=URL, GUARD_TTL_SECONDS="60").fingerprint == read(REDIS_URL=URL).fingerprint


def test_a_switch_that_is_neither_on_nor_off_is_told_what_it_can_be() -> None:
    """Without what it was."""
    with pytest.raises(ConfigurationError) as raised:
        read(ALLOW_PLAINTEXT="maybe")
    assert str(raised.value) == "DDB_CACHE_SYNC_ALLOW_PLAINTEXT: Input should be true or false"
