"""Settings from the environment: `DDB_CACHE_SYNC_*`."""

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.cache.credentials import IamCredentials, SecretCredentials
from ddb_cache_sync.core.encodings import Encoding, encoding_named
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.keys import KeyMapping, KeyTemplate, table_keys
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.hooks import ReportHook
from ddb_cache_sync.sync.replicator import DEFAULT_DEADLINE_MARGIN_MS, Replicator, stream_label_ms

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

PREFIX: Final = "DDB_CACHE_SYNC_"


def _names_an_encoding(text: str) -> str:
    try:
        encoding_named(text)
    except ConfigurationError as error:
        raise ValueError(error.problem) from None
    return text


HookName: TypeAlias = Literal["log", "emf", "otel"]


def _names(given: object) -> object:
    """The names in a text, each once: a hook that is named twice would count everything twice."""
    return [*dict.fromkeys(name.strip() for name in given.split(","))] if isinstance(given, str) else given


class Settings(BaseModel):
    """What a replicator needs to know; each field is the environment variable `DDB_CACHE_SYNC_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    encoding: Annotated[str, AfterValidator(_names_an_encoding)] = "json"
    """The form in which items are stored, as `encoding_named` takes it."""
    guard_prefix: str = DEFAULT_GUARD_PREFIX
    """What every guard key begins with."""
    guard_ttl_seconds: Annotated[int, Field(ge=1)] = DEFAULT_GUARD_TTL_SECONDS
    """How long a guard outlives the change that set it, seconds."""
    stream_label: str | None = None
    """Creation time to put in place of that of the records' own stream; None: their own."""
    deadline_margin_ms: Annotated[int, Field(ge=0)] = DEFAULT_DEADLINE_MARGIN_MS
    """How long before the function's time-out a failing cache is given up, milliseconds."""
    metrics: Annotated[tuple[HookName, ...] | None, BeforeValidator(_names)] = None
    """What a Lambda function makes of the report of each batch: names, separated by commas. None: nothing."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], over: Mapping[str, str] | None = None) -> Self:
        """Read the settings from environment variables; empty ones count as unset.

        Args:
            environment: The variables; those without the prefix are passed over.
            over: Values by field name that go before the environment's.

        Raises:
            ConfigurationError: A variable of this prefix that is unknown, or one that can't be right. Its value is
                not repeated.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and value
        }
        try:
            return cls.model_validate(given | dict(over or {}))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            field = str(first["loc"][0])
            variable = PREFIX + field.upper()
            if first["type"] != "extra_forbidden":
                raise ConfigurationError(f"{variable}: {first['msg'].removeprefix('Value error, ')}") from None
            close = difflib.get_close_matches(field, cls.model_fields, n=1)
            known = [PREFIX + name.upper() for name in close or cls.model_fields]
            hint = f"Did you mean {known[0]}?" if close else f"There are {', '.join(known)}."
            raise ConfigurationError(f"{variable} is not a setting", hint=hint) from None

    def replicator(self, on_report: Sequence[ReportHook] = ()) -> Replicator:
        """A replicator with these settings, and its connection.

        Args:
            on_report: Its hooks. `metrics` is for a function only: on a command line, stdout is for results.

        Raises:
            ConfigurationError: No cache URL, or a setting that can't be right.
        """
        if self.redis_url is None:
            raise ConfigurationError(
                f"{PREFIX}REDIS_URL is not set", hint="Set it to the cache's URL, such as rediss://my-cache:6379."
            )
        url = self.redis_url.get_secret_value()
        return Replicator(
            connect(url, credentials=self._credentials(url), allow_plaintext=self.allow_plaintext),
            keys=self._keys(),
            encoding=self._encoding(),
            guard_prefix=self.guard_prefix,
            guard_ttl_seconds=self.guard_ttl_seconds,
            stream_label=self.stream_label,
            on_report=on_report,
        )

    def projection(self) -> Projection:
        """The projection alone, for what needs no cache.

        Raises:
            ConfigurationError: A setting that can't be right.
        """
        return Projection(self._keys(), self._encoding(), self.guard_prefix)

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
                f"{PREFIX}IAM_USER and {PREFIX}SECRET_ID are both set", hint="Log in with one of them."
            )
        if self.secret_id is not None:
            return SecretCredentials(self.secret_id)
        if self.iam_user is None:
            return None
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            raise ConfigurationError(f"{PREFIX}REDIS_URL can't be read", hint="Write rediss://host:port.") from None
        if self.iam_cache_name is not None:
            return IamCredentials(self.iam_user, self.iam_cache_name, serverless=".serverless." in host)
        return IamCredentials.for_host(self.iam_user, host)

    def _keys(self) -> KeyMapping:
        return KeyTemplate(self.key_template) if self.key_template else table_keys

    def _encoding(self) -> Encoding:
        return encoding_named(self.encoding)
