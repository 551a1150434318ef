"""Transforms: filter, project and change items on their way into the cache, as one concept.

Rule: a transform takes an item and gives the item to store, or None to leave it out, which removes its cache key. They
are run in order, each on what the one before gave; the first None ends it.

The cache key is none of their business: it is made of the record's key, whatever they do to the item's key attributes.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, Protocol

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.python_values import image_of
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError, RecordError


class Transform(Protocol):
    """Gives the item to store for an item of the table.

    Contract: pure; depends on the item only, so that a record that comes again, a backfill and a comparison with the
    table give the same; changes nothing in place.
    """

    def __call__(self, item: Image, /) -> Mapping[str, Any] | None:
        """The item to store, an `Image` or a mapping of Python values; None: it is left out, its cache key removed.

        Raises:
            RecordError: The item can't be carried, which makes its record a poison record. Any other exception does
                so too; only its type is told, since its text may repeat the item's contents.
        """
        ...


def include(*names: str) -> Callable[[Image], Image]:
    """A transform that keeps these top-level attributes and drops all others, without decoding any.

    An item that has none of them becomes an empty item; to leave it out, add a `where`.

    Raises:
        ConfigurationError: No names, or one that is not a name.
    """
    kept = tuple(dict.fromkeys(_checked("include", names)))

    def including(item: Image) -> Image:
        wire = item.wire
        return Image({name: wire[name] for name in kept if name in wire})

    return including


def exclude(*names: str) -> Callable[[Image], Image]:
    """A transform that drops these top-level attributes and keeps all others, without decoding any.

    Raises:
        ConfigurationError: No names, or one that is not a name.
    """
    dropped = frozenset(_checked("exclude", names))

    def excluding(item: Image) -> Image:
        return Image({name: value for name, value in item.wire.items() if name not in dropped})

    return excluding


def where(predicate: Callable[[Image], object]) -> Callable[[Image], Image | None]:
    """A transform that keeps the items for which `predicate(item)` is true, and leaves out all others.

    Args:
        predicate: Called with the item, whose attributes are decoded when read: `lambda item: item["age"] > 18`.

    Raises:
        ConfigurationError: Not a function, or an asynchronous one, whose answer would always count as true.
    """
    if not callable(predicate):
        raise ConfigurationError(
            f"where() was given a {type(predicate).__name__}, not a function",
            hint='Give it a predicate, as in where(lambda item: item.get("status") == "active").',
        )
    _refuse_coroutine_function("the predicate of where()", predicate)

    def filtering(item: Image) -> Image | None:
        return item if predicate(item) else None

    return filtering


def check_transforms(transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms, if each can be one.

    Raises:
        ConfigurationError: Not a sequence, or something in it that is no transform.
    """
    given: object = transforms
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigurationError(
            f"transforms is a {type(given).__name__}, not a list", hint="Put it in brackets: transforms=[...]."
        )
    for place, transform in enumerate(transforms):
        name = f"transforms[{place}]"
        if not callable(transform):
            raise ConfigurationError(
                f"{name} is a {type(transform).__name__}, not a function",
                hint="Give a callable (item) -> item or None.",
            )
        if isinstance(transform, type) and hasattr(transform, "model_validate"):
            raise ConfigurationError(
                f"{name} is the class {transform.__name__}", hint=f"Write validate_with({transform.__name__})."
            )
        _refuse_coroutine_function(name, transform)
    return tuple(transforms)


def apply_transforms(transforms: Sequence[Transform], item: Image) -> Image | None:
    """What the transforms, run in order, make of an item; None: it is left out.

    Raises:
        RecordError: A transform raised, or gave what is no item. Repeats no content.
        CacheSyncError: Whichever a transform raised itself.
    """
    current = item
    for transform in transforms:
        try:
            result: object = transform(current)  # the caller's own code: what it gives is looked at
            if result is None:
                return None
            if isinstance(result, Image):
                current = result
                continue
            if isinstance(result, Mapping):
                current = image_of(result)
                continue
        except CacheSyncError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's own code; its text may repeat contents
            # A malformed attribute can't be read by anyone: then it is the item that is at fault.
            fault = item.fault()
            raise RecordError(f"item: {fault}" if fault else f"the transform raised {type(error).__name__}") from None
        hint = "Make a predicate a transform with where(...)." if isinstance(result, bool) else None
        raise RecordError(f"the transform gave a {type(result).__name__}, not an item or None", hint=hint)
    return current


def _checked(function: str, names: Sequence[object]) -> list[str]:
    """The names, if there are any and all are text."""
    texts = [name for name in names if isinstance(name, str) and name]
    if not texts or len(texts) != len(names):
        problem = "something that is not a name" if names else "no names"
        raise ConfigurationError(
            f"{function} was given {problem}", hint="Name top-level attributes, such as id and name."
        )
    return texts


def _refuse_coroutine_function(what: str, function: Callable[..., object]) -> None:
    if iscoroutinefunction(function):
        raise ConfigurationError(f"{what} is asynchronous", hint="Give a plain function, written without async.")
