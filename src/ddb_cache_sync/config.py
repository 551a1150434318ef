"""What a configuration file can say: TOML, read and checked; and what a route of it means.

Rules: its keys are the settings, by the same names, and `routes`. It is strict, so text is no number. An error names
the file and the place in it, and repeats no value: any of them may be a secret that ended up in the wrong place.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ddb_cache_sync.core.encodings import encoding_named
from ddb_cache_sync.core.expiry import FURTHEST_SECONDS, Expiry
from ddb_cache_sync.core.keys import KeyTemplate, table_keys
from ddb_cache_sync.core.lookups import Holds, LookupKey
from ddb_cache_sync.core.projection import Mode, Projection, Router
from ddb_cache_sync.core.routes import Route
from ddb_cache_sync.core.routing import EntityRouter, Unmatched
from ddb_cache_sync.core.transforms import Transform, exclude, include
from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PLACE: Final = re.compile(r"(.*) \(at line ([0-9]+), column ([0-9]+)\)")
_WORDS: Final = {
    "tuple_type": "Input should be a list",
    "dict_type": "Input should be a table of names and texts",
    "model_type": "Input should be a table",
    "too_short": "Input should have at least 1 item",
}
"""TOML's words for what pydantic calls by Python's."""

_OTHER_WORDS: Final = {
    "expiry": "ttl_attribute",
    "hooks": "metrics",
    "keys": "key_template",
    "on_report": "metrics",
    "template": "key_template",
    "url": "redis_url",
    "where": "attribute",
}
"""The file's words for what is called otherwise in Python, or by those who guess."""


def checked(check: Callable[[str], object]) -> AfterValidator:
    """Takes a text that another function takes, which raises a `ConfigurationError` else."""

    def taken(text: str) -> str:
        try:
            check(text)
        except ConfigurationError as error:
            raise ValueError(error.problem) from None
        return text

    return AfterValidator(taken)


def listed(given: object) -> object:
    """A list as a tuple, in which nothing changes later."""
    return tuple(given) if isinstance(given, list) else given


EncodingName = Annotated[str, checked(encoding_named)]
"""The name of an encoding, as `encoding_named` takes it."""
Names = Annotated[tuple[str, ...] | None, BeforeValidator(listed)]


class RouteSettings(BaseModel):
    """Which items go through a projection, and what it is. Without a condition: all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str | None = None
    """The table's exact name. None: any table."""
    key: dict[str, str] | None = None
    """Patterns by the name of a key attribute, such as `{ PK = "USER#*" }`: `*` is any text, `?` any character."""
    attribute: dict[str, str] | None = None
    """Patterns by the name of any other attribute, such as `{ type = "user" }`. It may change."""
    key_template: str | None = None
    """The key template, such as `users:{id}`. It may leave out what `key` gives one value. None: the table's name and
    its primary key."""
    encoding: EncodingName = "json"
    """The form in which items are stored."""
    mode: Mode = "replicate"
    """What an upsert does: `replicate` writes the value, `invalidate` deletes the key, `refresh` writes the value where
    the key exists."""
    ttl_attribute: str | None = None
    """The table's TTL attribute, with which values expire. None: the table's time to live plays no part."""
    value_ttl_seconds: Annotated[float, Field(ge=1, le=FURTHEST_SECONDS, allow_inf_nan=False)] | None = None
    """The longest time that a value stays after it was last written, seconds. None: as long as the item."""
    keep_ttl_removals: bool = False
    """Keep what DynamoDB's time to live removes from the table."""
    include: Names = None
    """The only top-level attributes to store. None: all of them."""
    exclude: Names = None
    """Top-level attributes not to store. None: none of them."""
    lookups: dict[str, Holds] | None = None
    """Templates of lookup keys and what each holds, such as `{ "users:by-email:{email}" = "key" }`: the item's `key`,
    or the `item`."""

    @property
    def takes_all(self) -> bool:
        """Whether it has no condition."""
        return (self.table, self.key, self.attribute) == (None, None, None)

    def projection(self, guard_prefix: str) -> Projection:
        """The projection that it describes.

        Raises:
            ConfigurationError: It can't be right.
        """
        expires = self.ttl_attribute is not None or self.value_ttl_seconds is not None
        return Projection(
            table_keys if self.key_template is None else KeyTemplate(self.key_template),
            encoding_named(self.encoding),
            guard_prefix,
            mode=self.mode,
            transforms=self._transforms(),
            expiry=Expiry(self.ttl_attribute, seconds=self.value_ttl_seconds) if expires else None,
            lookups=[LookupKey(template, holds=holds) for template, holds in (self.lookups or {}).items()],
            keep_ttl_removals=self.keep_ttl_removals,
        )

    def route(self, guard_prefix: str) -> Route:
        """The route that it describes.

        Raises:
            ConfigurationError: It can't be right.
        """
        return Route(self.projection(guard_prefix), table=self.table, key=self.key, attribute=self.attribute)

    def _transforms(self) -> list[Transform]:
        if self.include is not None and self.exclude is not None:
            raise ConfigurationError("include and exclude are both set", hint="Take one of them.")
        return [
            *([] if self.include is None else [include(*self.include)]),
            *([] if self.exclude is None else [exclude(*self.exclude)]),
        ]


def router(
    routes: Sequence[RouteSettings], unmatched: Unmatched, guard_prefix: str, known: MutableMapping[str, Route]
) -> Router:
    """The router with these routes; where there is but one and it takes all items, its projection.

    Args:
        routes: The routes, in order.
        unmatched: What becomes of an item that no route takes.
        guard_prefix: What every guard key begins with.
        known: Routes that were made before, and those made now, by what they say: the same text is the same route.

    Raises:
        ConfigurationError: A route that can't be right, or that can't stand beside another.
    """
    made = []
    for place, each in enumerate(routes):
        said = repr(each)  # no JSON: what the environment holds may be no UTF-8
        try:
            if said not in known:
                known[said] = each.route(guard_prefix)
        except ConfigurationError as error:
            raise ConfigurationError(f"routes[{place}]: {error.problem}") from None
        made.append(known[said])
    return made[0].projection if len(made) == 1 and routes[0].takes_all else EntityRouter(made, unmatched)


def toml_table(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        ConfigurationError: It can't be read, or is not TOML.
    """
    import tomllib  # noqa: PLC0415 - for those who have such a file

    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # as text a lone CR would end a line
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not TOML: it is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a ValueError alone: an integer of thousands of digits
        found = _PLACE.fullmatch(str(error))
        place = "at its end" if found is None else f"line {found[2]}, column {found[3]}"
        raise ConfigurationError(
            f"{path} is not TOML ({place})", hint="Texts stand in quotes, and each key has a line of its own."
        ) from None


class Mistake(NamedTuple):
    """What is wrong in a file, and where."""

    place: tuple[int | str, ...]
    """The way there, such as `("routes", 1, "mode")`."""
    problem: str
    """With the file, the place and what to do."""


def mistakes_of(error: ValidationError, path: Path, keys: Collection[str]) -> list[Mistake]:
    """What is wrong in a file.

    Args:
        error: What pydantic found.
        path: The file.
        keys: What it may have at its top.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [Mistake(each["loc"], _problem(each, path, keys)) for each in found]


def in_order(mistakes: Iterable[Mistake], said: Mapping[str, Any]) -> list[Mistake]:
    """The mistakes in the order of the file.

    Args:
        mistakes: In any order.
        said: What the file says.
    """
    return sorted(mistakes, key=lambda mistake: _position(said, mistake.place))


def _position(said: object, place: Sequence[int | str]) -> list[int]:
    found = []
    for part in place:
        if isinstance(said, Mapping):
            names = [*said]
            found.append(names.index(part) if part in said else len(names))
            said = said.get(part)
        elif isinstance(part, int):
            found.append(part)
            said = said[part] if isinstance(said, list) else None
    return found


def _problem(found: "ErrorDetails", path: Path, keys: Collection[str]) -> str:
    """What is wrong, and for an unknown key the nearest."""
    kind, (*above, last) = found["type"], found["loc"]
    place = _place([*above, last])
    if kind != "extra_forbidden":
        problem = f"{path}: {place}: {_WORDS.get(kind, found['msg'].removeprefix('Value error, '))}"
        unheaded = place == "routes" and kind == "tuple_type"
        return f"{problem}. Write [[routes]] above each of them." if unheaded else problem
    known = list(RouteSettings.model_fields if above else keys)
    other = _OTHER_WORDS.get(str(last))
    close = [other] if other in known else difflib.get_close_matches(str(last), known, n=1)
    named = [_place([*above, name]) for name in close or known]
    hint = f"Did you mean {named[0]}?" if close else f"There are {', '.join(known)}."
    return f"{path}: {place} is not a key. {hint}"


def _place(parts: Sequence[int | str]) -> str:
    """A place in a file, such as `routes[1].mode`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
