"""Settings from the environment, `DDB_CACHE_SYNC_*`, and from a configuration file.

Rule: arguments go before the environment, and the environment before the file.
"""

import contextlib
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.cache.credentials import IamCredentials, SecretCredentials
from ddb_cache_sync.config import (
    EncodingName,
    Mistake,
    RouteSettings,
    checked,
    in_order,
    listed,
    mistakes_of,
    router,
    toml_table,
)
from ddb_cache_sync.core.expiry import FURTHEST_SECONDS
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.layouts import BothLayouts
from ddb_cache_sync.core.projection import Mode, Router
from ddb_cache_sync.core.routes import Route
from ddb_cache_sync.core.routing import Unmatched
from ddb_cache_sync.core.verify_settings import check_looks, check_sample, looks_of, sample_of
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.hooks import ReportHook
from ddb_cache_sync.sync.quarantine import Quarantine, quarantine_at
from ddb_cache_sync.sync.replicator import DEFAULT_DEADLINE_MARGIN_MS, Replicator, stream_label_ms

if TYPE_CHECKING:
    import redis
    from redis.credentials import CredentialProvider

PREFIX: Final = "DDB_CACHE_SYNC_"


HookName: TypeAlias = Literal["log", "emf", "otel"]


def _names(given: object) -> object:
    """The names in a text, each once: a hook that is named twice would count everything twice."""
    if isinstance(given, str):
        return tuple(dict.fromkeys(name.strip() for name in given.split(",")))
    return listed(given)


def _path(given: object) -> object:
    """A path, as a file writes it."""
    return Path(given) if isinstance(given, str) else given


class Settings(BaseModel):
    """What a replicator needs to know.

    Each field but `routes` is the environment variable `DDB_CACHE_SYNC_<FIELD>`, and each but `config` a key of the
    configuration file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Path | None = None
    """The configuration file (TOML). None: there is none."""
    redis_url: SecretStr | None = None
    """Where the cache is: `rediss://host:6379`. A secret, since it may hold a password."""
    iam_user: str | None = None
    """The ElastiCache user to log in as with the function's own role. None: the user of the URL, if any."""
    iam_cache_name: str | None = None
    """The name of the serverless cache, or the id of the replication group. None: taken from the URL's host name."""
    secret_id: str | None = None
    """The secret of AWS Secrets Manager that holds the cache's user and password. None: those of the URL."""
    allow_plaintext: bool = False
    """Talk to an AWS host without TLS all the same."""
    key_template: str | None = None
    """The key template, such as `users:{id}`. None: the table's name and its primary key (`table_keys`)."""
    encoding: EncodingName = "json"
    """The form in which items are stored, as `encoding_named` takes it."""
    mode: Mode = "replicate"
    """What an upsert does: `replicate` writes the value, `invalidate` deletes the key, `refresh` writes the value where
    the key exists."""
    ttl_attribute: str | None = None
    """The table's TTL attribute: values expire with their items. None: it plays no part."""
    value_ttl_seconds: Annotated[int, Field(ge=1, le=FURTHEST_SECONDS)] | None = None
    """The longest time that a value stays after it was last written, seconds. None: as long as the item."""
    unmatched: Unmatched = "refuse"
    """What becomes of an item that no route holds: `refuse` makes a poison record, `ignore` leaves it out."""
    routes: Annotated[tuple[RouteSettings, ...], BeforeValidator(listed), Field(min_length=1)] = ()
    """Which items go through which projection, in the order in which they are tried. None: all through one."""
    new_layout: Annotated[Path, BeforeValidator(_path)] | None = None
    """The configuration file of a second layout, to which changes are applied as well while its keys are filled and
    readers switch to it. None: there is none."""
    guard_prefix: str = DEFAULT_GUARD_PREFIX
    """What every guard key begins with."""
    guard_ttl_seconds: Annotated[int, Field(ge=1, le=FURTHEST_SECONDS)] = DEFAULT_GUARD_TTL_SECONDS
    """How long a guard outlives the change that set it, seconds."""
    stream_label: str | None = None
    """Creation time to put in place of that of the records' own stream; None: their own."""
    deadline_margin_ms: Annotated[int, Field(ge=0)] = DEFAULT_DEADLINE_MARGIN_MS
    """How long before the function's time-out a failing cache is given up, milliseconds."""
    quarantine: Annotated[str, checked(quarantine_at)] | None = None
    """Where a Lambda function sets poison records aside: `s3://bucket/prefix`, the URL of an SQS queue, or a folder.
    None: each is reported, and Lambda delivers it again until it is given up."""
    metrics: Annotated[tuple[HookName, ...] | None, BeforeValidator(_names)] = None
    """What a Lambda function makes of the report of each batch: names, separated by commas. None: nothing."""
    verify_table: str | None = None
    """The table that the function `verify_handler` compares with the cache."""
    verify_sample: Annotated[
        str, Field(pattern=r"^[0-9]+(\.[0-9]+)?%?$"), checked(lambda text: check_sample(*sample_of(text)))
    ] = "1000"
    """About how many items it reads in each run, or which share of them: `1000`, or `0.5%`."""
    verify_looks: Annotated[
        str, Field(pattern=r"^[0-9.]+(,[0-9.]+)*$"), checked(lambda text: check_looks(looks_of(text)))
    ] = "1,5,30"
    """When it looks again at what differs, seconds after it was read."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], over: Mapping[str, str] | None = None) -> Self:
        """Read the settings from environment variables; empty ones count as unset.

        Args:
            environment: The variables; those without the prefix are passed over.
            over: Values by field name that go before the environment's.

        Raises:
            ConfigurationError: Variables of this prefix that are unknown, or that can't be right, each on a line.
                Their values are not repeated.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and value
        }
        if unknown := sorted(given.keys() - VARIABLES):
            raise ConfigurationError("\n".join(map(_unknown, unknown)))
        above = given | dict(over or {})
        below = _said_by(Path(above["config"])) if "config" in above else {}
        try:
            return cls.model_validate(below | above)
        except ValidationError as error:
            # The file was checked before, so it is not there.
            problems: dict[str, str] = {}
            for each in error.errors(include_input=False, include_url=False, include_context=False):
                name = str(each["loc"][0])
                source = f"--{name.replace('_', '-')}" if name in (over or {}) else PREFIX + name.upper()
                said = each["msg"].removeprefix("Value error, ")
                if each["type"] == "bool_parsing":
                    said = "Input should be true or false"  # pydantic says that it can't interpret it
                problems.setdefault(name, f"{source}: {said}")
            raise ConfigurationError("\n".join(problems.values())) from None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the settings from a configuration file alone.

        Raises:
            ConfigurationError: It can't be read, is not TOML, or has unknown keys or values that can't be right, each
                on a line, in the order of the file. The values are not repeated.
        """
        return cls.model_validate(_said_by(path) | {"config": path})

    def replicator(self, on_report: Sequence[ReportHook] = (), quarantine: Quarantine | None = None) -> Replicator:
        """A replicator with these settings, and its connection.

        Args:
            on_report: Its hooks. `metrics` is for a function only: on a command line, stdout is for results.
            quarantine: Its quarantine. That of the settings is for a function only: whoever applies records by hand is
                told which can't be applied.

        Raises:
            ConfigurationError: No cache URL, or a setting that can't be right.
        """
        return Replicator(
            self.client(),
            self.router(),
            guard_ttl_seconds=self.guard_ttl_seconds,
            stream_label=self.stream_label,
            on_report=on_report,
            quarantine=quarantine,
        )

    def client(self) -> "redis.Redis | redis.RedisCluster":
        """The cache's client; connects at its first use.

        Raises:
            ConfigurationError: No cache URL, or a setting that can't be right.
        """
        if self.redis_url is None:
            raise ConfigurationError(
                f"{PREFIX}REDIS_URL is not set",
                hint="Set it to the cache's URL, such as rediss://my-cache:6379; or give --redis-url to a command, or "
                "redis_url in the configuration file.",
            )
        url = self.redis_url.get_secret_value()
        return connect(url, credentials=self._credentials(url), allow_plaintext=self.allow_plaintext)

    @property
    def fingerprint(self) -> str:
        """Tells settings by which items go elsewhere, or in another form, from these.

        User and password play no part, so that they can change, and nobody can guess them from it.
        """
        url = "" if self.redis_url is None else self.redis_url.get_secret_value()
        with contextlib.suppress(ValueError):  # `connect` says what is wrong with it
            scheme, host, path, query, _ = urlsplit(url)
            url = f"{scheme}://{host.rpartition('@')[2]}{path}?{parse_qs(query).get('db')}"
        layouts = [self, *([] if self.new_layout is None else [self._second()])]
        said = [part for each in layouts for part in (each.unmatched, [*map(_plain, each.routes_or_one)])]
        text = json.dumps([url, self.guard_prefix, said], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def router(self) -> Router:
        """What says where each item goes: the routes, or the one projection where there are none; and the new layout.

        Raises:
            ConfigurationError: A setting that can't be right, or one for all items beside routes.
        """
        return self._router(self.guard_prefix, {}) if self.new_layout is None else BothLayouts(*self.layouts())

    def layouts(self) -> tuple[Router, Router]:
        """The layout of these settings, and the new one; routes that say the same share their projection.

        Raises:
            ConfigurationError: There is no new one, or a setting that can't be right, of either.
        """
        if self.new_layout is None:
            raise ConfigurationError(
                "there is no new layout", hint=f"Name its configuration file: {PREFIX}NEW_LAYOUT, or --new-layout."
            )
        known: dict[str, Route] = {}
        return self._router(self.guard_prefix, known), self._second()._router(self.guard_prefix, known)  # noqa: SLF001 - of the same class

    def _second(self) -> "Settings":
        """What the file of the new layout says."""
        second = Settings.from_file(self.new_layout or Path())
        for name in OF_BOTH & second.model_fields_set:
            if getattr(second, name) != getattr(self, name):
                raise ConfigurationError(
                    f"{self.new_layout}: {name} is not that of the old layout",
                    hint="One function keeps both layouts in one cache: leave it out, or make it the same.",
                )
        if second.new_layout is not None:
            raise ConfigurationError(f"{self.new_layout} names a new layout itself", hint="Change one at a time.")
        return second

    def _router(self, guard_prefix: str, known: dict[str, Route]) -> Router:
        of_all = self.model_fields_set & RouteSettings.model_fields.keys()
        if self.routes and of_all:
            raise ConfigurationError(
                f"{', '.join(sorted(of_all))} set for all items, beside the routes of {self.config}",
                hint=f"Set it in each route, and not as {PREFIX}{min(of_all).upper()} or at the top of the file.",
            )
        try:
            return router(self.routes_or_one, self.unmatched, guard_prefix, known)
        except ConfigurationError as error:
            if not self.routes:
                raise ConfigurationError(error.problem.removeprefix("routes[0]: ")) from None
            raise ConfigurationError(f"{self.config}: {error.problem}") from None

    @property
    def routes_or_one(self) -> Sequence[RouteSettings]:
        """The routes; where there are none, the one that all items take, made of the settings of the same names."""
        of_all = self.model_fields_set & RouteSettings.model_fields.keys()
        return self.routes or [RouteSettings.model_validate(self.model_dump(include=of_all))]

    @property
    def said(self) -> Sequence[str]:
        """The names of what is set, in order, `config` and `routes` left out."""
        return [name for name in FILE_KEYS if name in self.model_fields_set and name != "routes"]

    @property
    def stream_label_ms(self) -> int | None:
        """The stream label, epoch ms; None: the records' own.

        Raises:
            ConfigurationError: It is no time.
        """
        return stream_label_ms(self.stream_label)

    def _credentials(self, url: str) -> "CredentialProvider | None":
        if self.iam_user is not None and self.secret_id is not None:
            raise ConfigurationError(
                f"{_called('iam_user')} and {_called('secret_id')} are both set", hint="Log in with one of them."
            )
        if self.secret_id is not None:
            return SecretCredentials(self.secret_id)
        if self.iam_user is None:
            return None
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            raise ConfigurationError(
                f"{_called('redis_url')} can't be read", hint="Write rediss://host:port."
            ) from None
        if self.iam_cache_name is not None:
            return IamCredentials(self.iam_user, self.iam_cache_name, serverless=".serverless." in host)
        return IamCredentials.for_host(self.iam_user, host)


VARIABLES: Final = tuple(name for name in Settings.model_fields if name != "routes")
"""The settings that are environment variables."""
FILE_KEYS: Final = tuple(name for name in Settings.model_fields if name != "config")
"""The settings that a configuration file can have."""


def _called(name: str) -> str:
    """A setting, as a file and as the environment call it."""
    return f"{name} ({PREFIX}{name.upper()})"


OF_BOTH: Final = {"redis_url", "guard_prefix", "guard_ttl_seconds", "stream_label"}
"""What two layouts side by side have in common."""


def _plain(route: RouteSettings) -> dict[str, Any]:
    return route.model_dump(mode="json")


def mistakes_in(said: Mapping[str, Any], path: Path) -> list[Mistake]:
    """What can be seen to be wrong of each key of a configuration file by itself, in the order of the file.

    Args:
        said: What it says.
        path: The file.
    """
    found = []
    if "config" in said:
        found.append(Mistake(("config",), f"{path}: config is not a key. A file can't name another."))
    try:
        Settings.model_validate({name: value for name, value in said.items() if name != "config"}, strict=True)
    except ValidationError as error:
        found += mistakes_of(error, path, FILE_KEYS)
    return in_order(found, said)


def _said_by(path: Path) -> dict[str, Any]:
    """What a configuration file says, checked.

    Raises:
        ConfigurationError: See `Settings.from_file`.
    """
    said = toml_table(path)
    if found := mistakes_in(said, path):
        raise ConfigurationError("\n".join(each.problem for each in found))
    return said


def _unknown(field: str) -> str:
    """What there is to say of a variable that is no setting."""
    close = difflib.get_close_matches(field, VARIABLES, n=1)
    known = [PREFIX + name.upper() for name in close or VARIABLES]
    hint = f"Did you mean {known[0]}?" if close else f"There are {', '.join(known)}."
    return f"{PREFIX}{field.upper()} is not a setting. {hint}"
