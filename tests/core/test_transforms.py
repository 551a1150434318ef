"""Transforms: what is stored of an item, and whether it is stored at all."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import MARKER, any_python, items, names, outcome

from ddb_cache_sync import (
    CacheUnavailable,
    ConfigurationError,
    Image,
    JsonEncoding,
    RecordError,
    Transform,
    exclude,
    image_of,
    include,
    where,
)
from ddb_cache_sync.core.transforms import apply_transforms, check_transforms

ITEM = Image({"id": {"S": "42"}, "age": {"N": "30"}, "status": {"S": "active"}, "tags": {"L": [{"S": "a"}]}})


def gives(result: Any) -> Transform:
    """A transform that gives this whatever the item is."""
    return lambda _: result


def raises(error: BaseException) -> Transform:
    """A transform that fails."""

    def failing(_: Image, /) -> None:
        raise error

    return failing


def after(*transforms: Transform) -> Mapping[str, Any] | None:
    """What these make of the item."""
    return apply_transforms(transforms, ITEM)


def test_without_transforms_an_item_stays_as_it_is() -> None:
    """The very same image."""
    assert apply_transforms((), ITEM) is ITEM


def test_include_keeps_the_attributes_that_it_names() -> None:
    """Those that the item has."""
    assert include("id", "age", "missing")(ITEM) == {"id": "42", "age": Decimal(30)}


def test_exclude_drops_the_attributes_that_it_names() -> None:
    """All others stay."""
    assert exclude("tags", "age", "missing")(ITEM) == {"id": "42", "status": "active"}


def test_where_keeps_the_items_for_which_its_predicate_is_true() -> None:
    """The predicate reads Python values; any true or false value will do."""
    assert where(lambda item: item.get("status") == "active" and item["age"] > 18)(ITEM) is ITEM
    assert where(lambda item: item.get("email"))(ITEM) is None


def test_any_function_is_a_transform() -> None:
    """It gives a mapping of Python values, which may be made of the item's."""
    adult = apply_transforms([lambda item: {**item, "adult": item["age"] >= 18, "ratio": 0.5}], ITEM)
    assert adult is not None
    assert adult.wire == {**ITEM.wire, "adult": {"BOOL": True}, "ratio": {"N": "0.5"}}


def test_transforms_run_in_order_each_on_what_the_one_before_gave() -> None:
    """The second one sees an image again."""
    seen: list[object] = []

    def look(item: Image, /) -> Image:
        seen.append((type(item), dict(item)))
        return item

    assert after(gives({"n": 1, "m": 2}), look, exclude("m")) == {"n": Decimal(1)}
    assert seen == [(Image, {"n": Decimal(1), "m": Decimal(2)})]


def test_none_leaves_the_item_out_and_ends_it() -> None:
    """What comes after is not asked."""
    assert apply_transforms([where(lambda _: False), raises(AssertionError("not called"))], ITEM) is None


def test_an_item_without_attributes_is_still_an_item() -> None:
    """Empty is not None: it is stored."""
    for empty in (include("missing"), gives({}), gives(Image({}))):
        assert after(empty) == {}


def test_what_a_transform_changes_in_place_is_a_copy() -> None:
    """The item is read-only, and what is read from it is decoded anew."""

    def meddle(item: Image, /) -> Image:
        item["tags"].append("b")
        with pytest.raises(TypeError):
            item["age"] = 1  # type: ignore[index]
        return item

    before = JsonEncoding().encode(ITEM)
    result = apply_transforms([meddle], ITEM)
    assert result is not None
    assert JsonEncoding().encode(result) == JsonEncoding().encode(ITEM) == before


@given(items, st.lists(names, min_size=1, max_size=4), st.data())
def test_include_and_exclude_part_an_item_in_two(item: dict[str, Any], others: list[str], data: st.DataObject) -> None:
    """Each attribute is in one of them, its wire form the same object: nothing was decoded."""
    chosen = [*others, *data.draw(st.lists(st.sampled_from([*item]), max_size=3) if item else st.just([]))]
    kept, left = include(*chosen)(Image(item)).wire, exclude(*chosen)(Image(item)).wire
    assert set(kept) == set(item) & set(chosen)
    assert set(left) == set(item) - set(chosen)
    assert all(value is item[name] for name, value in {**kept, **left}.items())


def test_include_and_exclude_leave_malformed_attributes_alone() -> None:
    """One that is dropped does no harm; one that is kept is refused by the encoding."""
    item = Image({"id": {"S": "a"}, "bad": {"N": "SECRET"}})
    assert include("id")(item) == {"id": "a"}
    with pytest.raises(RecordError, match=r"^item: not a decimal number$"):
        JsonEncoding().encode(exclude("id")(item))


@pytest.mark.parametrize("function", [include, exclude])
@pytest.mark.parametrize("wrong", [(), ("",), (1,), (["id", "name"],), ("id", None)])
def test_names_are_texts_and_there_is_at_least_one(function: Any, wrong: Any) -> None:
    """Else it would silently keep all, or nothing."""
    with pytest.raises(ConfigurationError, match=rf"^{function.__name__} was given .* such as id and name\.$"):
        function(*wrong)


async def asynchronous(item: Image, /) -> Any:
    """Its answer is a coroutine, which counts as true."""


@pytest.mark.parametrize("wrong", [None, "status", True, asynchronous])
def test_a_predicate_is_a_plain_function(wrong: Any) -> None:
    """Refused at once, before any record."""
    with pytest.raises(ConfigurationError, match=r"where\(\)"):
        where(wrong)


class Model:
    """Looks like a pydantic model."""

    model_validate = None


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (include("id"), "transforms is a function, not a list. Put it in brackets: transforms=[...]."),
        (None, "transforms is a NoneType, not a list. Put it in brackets: transforms=[...]."),
        ("id", "transforms is a str, not a list. Put it in brackets: transforms=[...]."),
        ([include("id"), "id"], "transforms[1] is a str, not a function. Give a callable (item) -> item or None."),
        ([Model], "transforms[0] is the class Model. Write validate_with(Model)."),
        ([asynchronous], "transforms[0] is asynchronous. Give a plain function, written without async."),
    ],
)
def test_a_list_of_transforms_that_can_not_be_right_is_refused(wrong: Any, problem: str) -> None:
    """Once, and not with every record."""
    with pytest.raises(ConfigurationError) as caught:
        check_transforms(wrong)
    assert str(caught.value) == problem


def test_a_list_of_transforms_is_kept_as_it_was() -> None:
    """A list that is changed later changes nothing."""
    given_list: list[Transform] = [include("id"), dict]
    checked = check_transforms(given_list)
    given_list.clear()
    assert after(*checked) == {"id": "42"}


@pytest.mark.parametrize("rubbish", ["SECRET", b"SECRET", 1, ["SECRET"], {"SECRET"}, ("SECRET", 1), object()])
def test_rubbish_from_a_transform_makes_a_poison_record(rubbish: object) -> None:
    """Its type is named."""
    with pytest.raises(RecordError, match=f"^the transform gave a {type(rubbish).__name__}, not an item or None$"):
        apply_transforms([gives(rubbish)], ITEM)


def test_a_bare_predicate_is_told_to_become_a_transform() -> None:
    """The likeliest mistake has a hint."""
    with pytest.raises(RecordError, match=r"^the transform gave a bool, not an item or None\. Make .* where\(\.\.\.\)"):
        apply_transforms([gives(True)], ITEM)


def test_values_that_dynamodb_could_not_hold_make_a_poison_record() -> None:
    """The attribute is named."""
    with pytest.raises(RecordError, match=r"^item\.when: a object has no DynamoDB type$"):
        apply_transforms([gives({"id": "a", "when": object()})], ITEM)


@pytest.mark.parametrize("error", [ValueError("SECRET"), KeyError("SECRET"), TypeError(), RecursionError()])
def test_a_transform_that_raises_makes_a_poison_record(error: Exception) -> None:
    """Its type is told and its text is not, for that may repeat contents."""
    with pytest.raises(RecordError, match=f"^the transform raised {type(error).__name__}$"):
        apply_transforms([raises(error)], ITEM)


def test_a_malformed_item_is_not_blamed_on_the_transform() -> None:
    """The error says what is wrong with the item."""
    item = Image({"age": {"N": "SECRET"}})
    with pytest.raises(RecordError, match=r"^item: not a decimal number$"):
        apply_transforms([where(lambda item: item["age"] == 1)], item)


@pytest.mark.parametrize(
    "error", [RecordError("no such tenant"), ConfigurationError("wrong"), CacheUnavailable("gone")]
)
def test_errors_of_this_library_keep_their_words(error: Exception) -> None:
    """A transform can say what is wrong, and whose fault it is."""
    with pytest.raises(type(error), match=str(error)):
        apply_transforms([raises(error)], ITEM)


@given(items, st.lists(st.one_of(any_python, st.dictionaries(names, any_python, max_size=3)), min_size=1, max_size=3))
def test_whatever_transforms_give_is_an_item_or_none_or_a_poison_record(
    item: dict[str, Any], results: list[Any]
) -> None:
    """No other error comes out, and none repeats contents."""
    result, problem = outcome(lambda: apply_transforms([gives(each) for each in results], Image(item)))
    assert MARKER not in problem
    if result is not None:
        assert all(isinstance(each, Mapping) for each in results)
        assert result == image_of(results[-1])
    elif not problem:
        assert None in results


@given(items, any_python)
def test_wherever_a_transform_fails_it_is_a_record_error(item: dict[str, Any], content: Any) -> None:
    """Also with images made by hand that hold anything."""
    broken = Image({"a": content, **item})
    result, problem = outcome(lambda: apply_transforms([gives(broken), dict, include("a")], Image(item)))
    assert MARKER not in problem
    assert problem or result is not None
