"""What can be chosen by context (`cdk deploy -c NAME=VALUE`, or "context" in cdk.json). Pure: no CDK here.

Rule: each option is a field below, its default is what one would run in production, and what can't be right is refused
before anything is made. The names are those in README.md's table, which a test compares.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

CacheKind = Literal["serverless", "nodes", "existing"]
ViewType = Literal["NEW_IMAGE", "NEW_AND_OLD_IMAGES"]
Encoding = Literal["json", "dynamodb-json", "hash"]
Mode = Literal["replicate", "invalidate", "refresh"]

# Of the event source mapping, as docs/how-to/lambda-settings.md argues them; all of them stand here.
STARTING_POSITION: Final = "TRIM_HORIZON"
BATCH_SIZE: Final = 1000
BATCHING_WINDOW_SECONDS: Final = 0
PARALLELIZATION_FACTOR: Final = 2
# A poison record is set aside, so what is tried again waits for an outage to end: the age alone is the bound.
RETRY_ATTEMPTS: Final = -1
RECORD_AGE_SECONDS: Final = 12 * 3600

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
"""What CloudWatch Logs takes."""


class OptionError(ValueError):
    """An option that can't be right; says what to do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of one deployment; valid once made."""

    # The stack
    stack_name: str = "DdbCacheSync"
    """The stack's name; everything in it is named after it."""
    removable: bool = False
    """Delete table, exports and given-up batches with the stack. False keeps them."""

    # The table
    table_name: str = ""
    """An existing table. Empty: a new one is made."""
    table_stream_arn: str = ""
    """The existing table's stream."""
    table_key_arn: str = ""
    """The existing table's key in KMS, where it is encrypted with one of your own."""
    partition_key: str = "id"
    """The new table's partition key, of type S; the simulator needs it too."""
    stream_view_type: ViewType = "NEW_IMAGE"
    """What the new table's stream carries. Lookup keys need NEW_AND_OLD_IMAGES; it can't be changed on a stream."""
    ttl_attribute: str = ""
    """The table's TTL attribute: items expire by it, and so do their values."""

    # The network
    vpc_id: str = ""
    """An existing VPC. Empty: a new one is made."""
    subnet_ids: tuple[str, ...] = ()
    """The existing VPC's subnets for functions and cache, with routes to DynamoDB and S3."""
    availability_zones: tuple[str, ...] = ()
    """The new VPC's zones. Empty: the Region's first two."""
    flow_logs: bool = True
    """Log the new VPC's traffic."""

    # The cache
    cache: CacheKind = "serverless"
    """A serverless cache, a node-based replication group, or an existing cache."""
    cache_max_gb: int = 10
    """Serverless: the most data, GB. Beyond it, keys that have an expiry are evicted."""
    cache_max_ecpu: int = 20_000
    """Serverless: the most ECPUs a second. Beyond it, commands are throttled."""
    cache_node_type: str = "cache.t4g.small"
    """Nodes: their type."""
    cache_shards: int = 1
    """Nodes: how many shards."""
    cache_replicas: int = 1
    """Nodes: replicas of each shard, 1 to 5, in another Availability Zone."""
    cache_url: str = ""
    """Existing: `rediss://host:port`."""
    cache_name: str = ""
    """Existing: the name of the serverless cache, or the id of the replication group; for IAM and metrics."""
    cache_iam_user: str = ""
    """Existing: the user that all functions log in as with IAM."""
    cache_secret_arn: str = ""
    """Existing: the secret with its user and password, instead of IAM; the VPC needs an endpoint of Secrets Manager."""
    cache_security_group_id: str = ""
    """Existing: its security group, which is opened to the functions. Empty: see to that yourself."""

    # The replication
    key_template: str = "users:{id}"
    """How cache keys are made. It begins with a text of its own, to which the cache's users are bound."""
    encoding: Encoding = "json"
    """The form in which items are stored."""
    mode: Mode = "replicate"
    """What a change does."""
    value_ttl_seconds: int = 0
    """The longest time a value stays after it was last written. 0: as long as the item."""
    batch_size: int = BATCH_SIZE
    """The most records in one invocation."""
    batching_window_seconds: int = BATCHING_WINDOW_SECONDS
    """How long to gather a batch."""
    parallelization_factor: int = PARALLELIZATION_FACTOR
    """Invocations at a time for each shard."""
    retry_attempts: int = RETRY_ATTEMPTS
    """How often a failed batch is tried again; -1: until the record age."""
    record_age_seconds: int = RECORD_AGE_SECONDS
    """How old records get before they are given up; the stream keeps them for 24 h."""
    memory_mb: int = 1024
    """The replicator's memory; its share of CPU grows with it."""
    reserved_concurrency: int = 0
    """The most replicator invocations at a time, kept free for it. 0: the account's."""

    # What runs beside it
    simulator: bool = True
    """Ten random changes a minute. Switch it off for a table of your own; with an existing table it is off."""
    verify_minutes: int = 60
    """How often a sample is compared. 0: never."""
    verify_sample: int = 1000
    """About how many items a sample has."""
    backfill: bool = True
    """The state machines that fill and verify the whole cache."""
    backfill_concurrency: int = 10
    """How many data files, or segments, are worked on at the same time."""

    # Watching
    alarm_email: str = ""
    """Where alarms go. Empty: to the topic alone."""
    log_days: int = 30
    """How long logs are kept."""
    xray: bool = False
    """Trace invocations with X-Ray."""

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read the options from CDK's context; keys with a colon or slash are CDK's own.

        Raises:
            OptionError: An unknown option, or a value that can't be right.
        """
        known = {field.name: field for field in fields(cls)}
        given = {name: value for name, value in context.items() if not re.search(r"[:/]", name)}
        for name in given.keys() - known.keys():
            close = difflib.get_close_matches(name, known, n=1)
            raise OptionError(
                f"{name} is not an option. " + (f"Did you mean {close[0]}?" if close else "README.md lists them.")
            )
        options = cls(**{name: _read(name, value, known[name].default) for name, value in given.items()})
        if options.table_name and "key_template" not in given:
            raise OptionError(
                "table_name needs key_template: how cache keys are made of the table's key, such as orders:{orderId}"
            )
        return options

    def __post_init__(self) -> None:
        """Refuse what can't be right, with what to do."""
        self._check_ranges()
        self._check_what_exists()
        self._check_keys()
        self._check_cache()

    @property
    def key_prefix(self) -> str:
        """What every cache key begins with: the text before the template's first field."""
        text, _, _ = self.key_template.replace("{{", "\0").replace("}}", "\1").partition("{")
        return text.replace("\0", "{").replace("\1", "}")

    @property
    def guard_prefix(self) -> str:
        """What the guards of those keys begin with, as the library makes them: a hash tag of the key's own is kept."""
        return f"~v:{self.key_prefix}" if "}}" in self.key_template else f"~v:{{{self.key_prefix}"

    @property
    def expiring(self) -> bool:
        """Whether values are written with an expiry."""
        return bool(self.ttl_attribute or self.value_ttl_seconds)

    def _check_ranges(self) -> None:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise OptionError(f"{name} is one of {', '.join(get_args(kind))}")
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise OptionError(f"{name} is {least} to {most}, not {getattr(self, name)}")
        for name in ("value_ttl_seconds", "reserved_concurrency", "verify_minutes"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} is 0 or more")
        if self.record_age_seconds != -1 and not 60 <= self.record_age_seconds <= 604_800:
            raise OptionError("record_age_seconds is -1 or 60 to 604800")
        if self.log_days not in LOG_DAYS:
            raise OptionError(f"log_days is one of {', '.join(map(str, LOG_DAYS))}")

    def _check_what_exists(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}", self.stack_name):
            raise OptionError("stack_name begins with a letter, and has letters, digits and hyphens only")
        if bool(self.table_name) != bool(self.table_stream_arn):
            raise OptionError("table_name and table_stream_arn belong together: an existing table, and its stream")
        if self.table_stream_arn and f":table/{self.table_name}/stream/" not in self.table_stream_arn:
            raise OptionError("table_stream_arn is not the ARN of a stream of table_name: take its LatestStreamArn")
        if self.table_key_arn and not self.table_name:
            raise OptionError("table_key_arn is of an existing table: give table_name too, or leave it out")
        if self.table_key_arn and not re.fullmatch(r"arn:[^:]+:kms:[^:]+:\d{12}:key/.+", self.table_key_arn):
            raise OptionError(
                "table_key_arn is not the ARN of a key: take SSEDescription.KMSMasterKeyArn of describe-table"
            )
        if bool(self.vpc_id) != bool(self.subnet_ids):
            raise OptionError("vpc_id and subnet_ids belong together: an existing VPC, and its subnets")
        if self.availability_zones and self.vpc_id:
            raise OptionError("availability_zones is of a new VPC: an existing one's are those of subnet_ids")
        if len(self.availability_zones) == 1:
            raise OptionError("availability_zones has one: name two, or the cache would be gone with it")

    def _check_keys(self) -> None:
        fields_named = re.findall(r"\{([^{}]+)\}", self.key_template.replace("{{", "").replace("}}", ""))
        if not self.table_name and self.partition_key not in fields_named:
            raise OptionError(
                f"key_template lacks the table's key, so no item would have a key of its own: set it to "
                f"users:{{{self.partition_key}}}, for instance"
            )
        if not self.key_prefix:
            raise OptionError(
                "key_template begins with a value, so no user of the cache could be bound to its keys. "
                "Begin it with a text, such as users:{id}"
            )
        if re.search(r"[\s*?\[\]\\]", self.key_prefix):
            raise OptionError(
                "key_template begins with a text that has spaces or one of *?[]\\, which mean something else in an "
                "access string: choose another"
            )

    def _check_cache(self) -> None:
        named = [
            name
            for name in ("cache_url", "cache_name", "cache_iam_user", "cache_secret_arn", "cache_security_group_id")
            if getattr(self, name)
        ]
        if self.cache != "existing":
            if named:
                raise OptionError(f"{named[0]} is of an existing cache: set cache=existing, or leave it out")
            return
        if not self.vpc_id:
            raise OptionError(
                "an existing cache needs vpc_id and subnet_ids: a new VPC has no way to it. Give the cache's VPC, "
                "or one that is connected with it"
            )
        if not self.cache_url.startswith("rediss://") or "@" in self.cache_url:
            raise OptionError("an existing cache needs cache_url, rediss://host:port, without user and password")
        if bool(self.cache_iam_user) == bool(self.cache_secret_arn):
            raise OptionError("an existing cache needs cache_iam_user or cache_secret_arn, and not both")
        if self.cache_iam_user and not self.cache_name:
            raise OptionError("cache_iam_user needs cache_name: the name of the cache is signed, not its host name")


_CHOICES: Final[Mapping[str, Any]] = {
    "cache": CacheKind,
    "stream_view_type": ViewType,
    "encoding": Encoding,
    "mode": Mode,
}
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "cache_max_gb": (1, 5000),
    "cache_max_ecpu": (1000, 15_000_000),
    "cache_shards": (1, 500),
    "cache_replicas": (1, 5),
    "batch_size": (1, 10_000),
    "batching_window_seconds": (0, 300),
    "parallelization_factor": (1, 10),
    "retry_attempts": (-1, 10_000),
    "memory_mb": (128, 10_240),
    "verify_sample": (1, 1_000_000),
    "backfill_concurrency": (1, 1000),
}


def _read(name: str, value: Any, default: Any) -> Any:
    """A value of the context in the type of the option: the command line gives text, cdk.json may give JSON."""
    if isinstance(default, bool):
        text = str(value).lower()
        if text not in _TRUE | _FALSE:
            raise OptionError(f"{name} is true or false, not {value!r}")
        return text in _TRUE
    if isinstance(default, int):
        try:
            return int(str(value))
        except ValueError:
            raise OptionError(f"{name} is a whole number, not {value!r}") from None
    if isinstance(default, tuple):
        parts = value if isinstance(value, list) else str(value).split(",")
        return tuple(part.strip() for part in parts if part.strip())
    return str(value).strip()
