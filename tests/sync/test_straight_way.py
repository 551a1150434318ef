"""The straight way that most configurations go comes to the same as the way round that changes go for a router."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.strategies import items, key_attributes, lambda_form, record, records, sequence_numbers, spoilt_records

from ddb_cache_sync import (
    Change,
    ConfigurationError,
    DynamoDBJsonEncoding,
    Expiry,
    KeyTemplate,
    Projection,
    RecordError,
    encoding_named,
)
from ddb_cache_sync.core.keys import table_keys
from ddb_cache_sync.core.outcomes import APPLIED
from ddb_cache_sync.sync.batch import Batch

LABEL_MS = 1_745_415_436_991
TEMPLATES = ["users:{id}", "{id}", "{table}:{id}", "u:{{{id}}}:x", "{a}:{b}", "{b}/{a}", "{{{a}}}:{b}", "x{id}:{id}"]


class WayRound:
    """A router that has one projection for all."""

    needs_old_images = False

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    def routed(self, change: Change) -> Iterable[tuple[Projection, Change]]:
        return [(self._projection, change)]


def outcome(raws: Sequence[Any], router: Any) -> object:
    """All that comes of a batch: writes, what is reported, or the error."""
    try:
        batch = Batch(raws, router, LABEL_MS)
        writes = list(batch.writes(0.0))
        return writes, batch.report([APPLIED] * len(writes), 0.0), {at: str(why) for at, why in batch.errors.items()}
    except (ConfigurationError, RecordError) as error:
        return type(error), str(error)


@st.composite
def changes_of_few_items(draw: st.DrawFn) -> list[Any]:
    """Changes of items that have the attributes of the templates; keys are often plain text, and often again."""
    names = draw(st.sampled_from([["id"], ["a", "b"]]))
    often = st.sampled_from([{"S": text} for text in ("1", "a-b", "a:b", "é", "x" * 64, "x" * 65, "y" * 400, "")])
    keys = st.fixed_dictionaries({name: st.one_of(often, key_attributes) for name in names})
    found = []
    for _ in range(draw(st.integers(1, 4))):
        body = {"Keys": draw(keys), "NewImage": draw(items), "SequenceNumber": draw(sequence_numbers)}
        found.append(lambda_form(record(**body) | {"eventName": draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))}))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        changes_of_few_items(),
        st.lists(st.one_of(records(), spoilt_records()), min_size=1, max_size=4),
    ),
    st.sampled_from([None, *TEMPLATES]),
    st.sampled_from(["~v:", "x", "users"]),
)
def test_both_ways_come_to_the_same(raws: list[Any], template: str | None, guard_prefix: str) -> None:
    """Writes, reports and errors; for any records, any template, any guard prefix."""
    try:
        keys = table_keys if template is None else KeyTemplate(template)
        projection = Projection(keys, guard_prefix=guard_prefix)
    except ConfigurationError:
        return
    assert projection.straight is not None
    assert outcome(raws, projection) == outcome(raws, WayRound(projection))


@pytest.mark.parametrize("template", [None, "{id}", "{a}:{b}"])
@pytest.mark.parametrize("keys", [{1: {"S": "a"}}, {1: {"S": "a"}, "b": {"S": "c"}}, {"id": {1: "a"}}])
def test_names_that_are_no_text_make_poison_records_of_it_on_both_ways(template: str | None, keys: Any) -> None:
    """JSON has none, and a list of records made in Python can."""
    projection = Projection(table_keys if template is None else KeyTemplate(template))
    raws = [record(Keys=keys)]
    assert outcome(raws, projection) == outcome(raws, WayRound(projection))


class ProjectionOfOnesOwn(Projection):
    """With code of one's own on the way."""


def own_keys(change: Change) -> str:
    """A key mapping of one's own."""
    return str(change.key.attributes["id"])


class TemplateOfOnesOwn(KeyTemplate):
    """The same, as a class."""


@pytest.mark.parametrize(
    "projection",
    [
        Projection(own_keys),
        Projection(TemplateOfOnesOwn("{id}")),
        Projection(mode="invalidate"),
        Projection(mode="refresh"),
        Projection(transforms=[lambda item: item]),
        Projection(expiry=Expiry(seconds=60)),
        Projection(keep_ttl_removals=True),
        Projection(encoding=DynamoDBJsonEncoding()),
        Projection(encoding=encoding_named("json+zlib")),
        ProjectionOfOnesOwn(),
    ],
)
def test_what_asks_for_more_goes_the_way_round(projection: Projection) -> None:
    """Code of one's own sees each change; what the straight way leaves out is done."""
    assert projection.straight is None
