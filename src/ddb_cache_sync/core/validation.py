"""Validation of items by a pydantic model of one's own, as a transform.

Rule: the model sees Python values, and what is stored is what it dumps. A failure names attributes and pydantic's
codes only: its messages, and the warnings of its serializer, quote the contents.

pydantic is loaded when a model is given, and only then.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.errors import ConfigurationError, RecordError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_MOST_NAMED: Final = 5
"""How many faults an error names: a model that forbids extra attributes can find thousands."""
_LONGEST_NAME: Final = 255


def validate_with(
    model: "type[BaseModel]", *, mode: Literal["json", "python"] = "json"
) -> Callable[[Image], Mapping[str, Any]]:
    """A transform that validates items with a pydantic model, and stores what the model makes of them.

    The model is given Python values: Decimal for N, bytes for B, frozenset for SS, NS and BS. What is stored is
    `model_dump(mode=mode, by_alias=True)`.

    Args:
        model: A model class of your own.
        mode: How the model is dumped. `json` writes dates, UUIDs, enumerations and the like, and also a Decimal, as
            strings. `python` keeps Decimal and bytes as they are, so that they stay N and B, and takes only what
            DynamoDB has types for.

    Raises:
        ConfigurationError: Not a model class, or one that can't be completed; or an unknown mode.
    """
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - for those who give a model

    given: object = model
    if not isinstance(given, type) or not issubclass(given, BaseModel) or given is BaseModel:
        raise ConfigurationError(
            "validate_with() was given something that is not a pydantic model of your own",
            hint="Give it the class, a subclass of pydantic.BaseModel.",
        )
    name = model.__name__
    if mode not in ("json", "python"):
        raise ConfigurationError("validate_with() was given an unknown mode", hint='Use "json" or "python".')
    # Else every single record would find out.
    if model.model_rebuild(raise_errors=False) is False:
        raise ConfigurationError(
            f"the model {name} names types that are not defined", hint="Define them before validate_with() is called."
        )

    def validating(item: Image) -> Mapping[str, Any]:
        values = dict(item)
        try:
            valid = model.model_validate(values)
        except ValidationError as error:
            raise RecordError(f"the item does not fit {name}: {_faults(error)}") from None
        try:
            dumped: Mapping[str, Any] = valid.model_dump(mode=mode, by_alias=True, warnings=False)
        except ValueError:
            raise RecordError(
                f"the item fits {name}, but can't be dumped in mode {mode!r}",
                hint="Bytes that are not UTF-8 need mode='python', or ser_json_bytes in the model's configuration.",
            ) from None
        return dumped

    return validating


def _faults(error: "ValidationError") -> str:
    """The top-level attributes at fault, each with pydantic's code; each once."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = dict.fromkeys(
        f"{str(each['loc'][0])[:_LONGEST_NAME] if each['loc'] else 'item'}: {each['type']}" for each in found
    )
    named = ", ".join([*faults][:_MOST_NAMED])
    return named if len(faults) <= _MOST_NAMED else f"{named} and {len(faults) - _MOST_NAMED} more"
