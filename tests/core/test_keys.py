"""Cache keys: from an item's primary key, so that two items never share one."""

import base64
import hashlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from redis.crc import key_slot
from tests.core.strategies import number_texts

from ddb_cache_sync import Change, ConfigurationError, Image, ItemKey, KeyTemplate, RecordError, Remove, Version
from ddb_cache_sync.core.keys import table_keys
from ddb_cache_sync.core.templates import DEFAULT_MAX_KEY_BYTES
from ddb_cache_sync.testing import attribute_value

LONGEST_PARTITION_KEY = 2048


def removal(table: str = "T", /, **key: Any) -> Change:
    """A change of the item with this key: wire form, or a Python value."""
    wire = {name: value if isinstance(value, dict) else attribute_value(value) for name, value in key.items()}
    return Remove(ItemKey(table, Image(wire)), Version.of(0, "1"))


def test_a_template_names_the_key_attributes() -> None:
    """What is not a placeholder stands as it is."""
    keys = KeyTemplate("users:{tenant}/{id}")
    assert keys(removal(tenant="acme", id=42)) == "users:acme/42"
    assert repr(keys) == "KeyTemplate('users:{tenant}/{id}')"


def test_a_template_can_name_the_table() -> None:
    """Two tables can share a cache."""
    assert KeyTemplate("{table}:{id}")(removal("Users", id="a")) == "Users:a"


def test_doubled_braces_make_a_hash_tag() -> None:
    """All items of a tenant lie in one slot."""
    assert KeyTemplate("{{{tenant}}}:{id}")(removal(tenant="acme", id="42")) == "{acme}:42"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({"id": "a"}, "T:a"),
        ({"pk": "a", "sk": 1}, "T:a:1"),
        ({"sk": 1, "pk": "a"}, "T:a:1"),
        ({"id": "a:b{c}"}, "T:a%3Ab%7Bc%7D"),
        ({"id": b"\xff\xfe"}, "T:__4"),
    ],
)
def test_the_default_is_the_table_and_the_whole_key(key: dict[str, Any], expected: str) -> None:
    """Key attributes come in the order of their names, since a record does not tell which is which."""
    assert table_keys(removal(**key)) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("ünïcode ✓", "ünïcode ✓"),
        ("a:b", "a%3Ab"),
        ("100%", "100%25"),
        ("%3A", "%253A"),
        ("{x}", "%7Bx%7D"),
        ("\x00\n\x1f\x7f", "%00%0A%1F%7F"),
        ("a#b c/d", "a#b c/d"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+2"), "100"),
        (b"\xfb\xff", "-_8"),
    ],
)
def test_values_are_escaped_like_a_url(value: Any, text: str) -> None:
    """Only what could be taken for something else is: the rest stays readable."""
    assert KeyTemplate("k:{id}")(removal(id=value)) == f"k:{text}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{a}-{b}", "x%2Dy-z"),
        ("{a}#{b}", "x-y#z"),
        ("{a}->{b}", "x%2Dy->z"),
        ("{a}é{b}", "x-yéz"),
        ("{a}ab^{b}", "x-yab^z"),
    ],
)
def test_what_separates_two_values_is_escaped_in_them(template: str, expected: str) -> None:
    """One character of each separator is enough to keep the values apart."""
    assert KeyTemplate(template)(removal(a="x-y", b="z")) == expected


@given(number_texts(), number_texts())
def test_spellings_of_one_number_give_one_key(one: str, other: str) -> None:
    """`1`, `1.0` and `1E0` are the same item in DynamoDB."""
    for keys in (KeyTemplate("n:{id}"), table_keys):
        same = keys(removal(id={"N": one})) == keys(removal(id={"N": other}))
        assert same == (Decimal(one) == Decimal(other))


def test_lambdas_and_boto3s_binary_keys_are_one_key() -> None:
    """A stream and a backfill write the same cache key."""
    assert table_keys(removal(id={"B": "+/8="})) == table_keys(removal(id={"B": b"\xfb\xff"})) == "T:-_8"


def test_a_key_that_is_too_long_is_shortened_to_a_digest() -> None:
    """The long value only: what is short stays readable."""
    long = "x" * LONGEST_PARTITION_KEY
    digest = base64.urlsafe_b64encode(hashlib.sha256(long.encode()).digest()).decode().rstrip("=")
    assert KeyTemplate("users:{pk}:{sk}")(removal(pk=long, sk="short")) == f"users:%#{digest}:short"


@pytest.mark.parametrize(("length", "bytes_used"), [(1018, 1024), (1019, 6 + 45)])
def test_a_key_is_shortened_only_where_it_has_to_be(length: int, bytes_used: int) -> None:
    """At the last byte."""
    assert len(KeyTemplate("users:{id}")(removal(id="x" * length))) == bytes_used


def test_the_length_of_a_key_is_counted_in_bytes() -> None:
    """Which is what the cache counts."""
    assert KeyTemplate("k:{id}")(removal(id="é" * 512)).startswith("k:%#")


TEMPLATES = [
    "{a}:{b}", "{{{a}}}:{b}", "{a}:{{{b}}}", "{{{a}:{b}}}x", "{table}/{a}-{b}", "{a}.{b}",
    "u:{a}->{b}:end", "{a} {b}", "{a}\x1f{b}", "{a}#{b}", "{a}_{b}", "{a}é{b}", "{a}:{b}:{a}", "{a}]^{b}",
    "{b}0-1{a}", "{a}\\{b}",
]  # fmt: skip

pieces = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "0",
            "%",
            "%3A",
            "%25",
            ":",
            "{",
            "}",
            "#",
            "%#",
            "-",
            ">",
            "_",
            "/",
            " ",
            "\\",
            "]",
            "^",
            "é",
            "\x1f",
        ]
    ),
    max_size=5,
).map("".join)
long_pieces = st.tuples(pieces, st.sampled_from(["", "x" * 60, "é" * 40, "x" * 1100]), pieces).map("".join)
key_texts = st.one_of(long_pieces, st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
values_of: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "S": key_texts.map(lambda text: {"S": text}),
    "B": st.binary(max_size=3).map(lambda content: {"B": content}),
    "N": st.integers(-20, 20).map(lambda number: {"N": str(number)}),
}


@st.composite
def key_pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two primary keys of one table: each attribute has the same type in both."""
    one = {name: draw(st.one_of(*values_of.values())) for name in ("a", "b")}
    other = {}
    for name, value in one.items():
        [kind] = value
        other[name] = draw(st.one_of(st.just(value), values_of[kind]))
    return one, other


@given(st.sampled_from(TEMPLATES), key_pairs(), st.sampled_from([200, DEFAULT_MAX_KEY_BYTES]))
@example("{a}:{b}", ({"a": {"S": "x"}, "b": {"S": "y:z"}}, {"a": {"S": "x:y"}, "b": {"S": "z"}}), 200)
@example("{a}#{b}", ({"a": {"S": "%"}, "b": {"S": "x"}}, {"a": {"S": "%#x"}, "b": {"S": ""}}), 200)
@example("{a}_{b}", ({"a": {"S": "x" * 300}, "b": {"S": "_"}}, {"a": {"S": "x" * 300 + "_"}, "b": {"S": ""}}), 200)
def test_two_items_never_share_a_key(
    template: str, pair: tuple[dict[str, Any], dict[str, Any]], max_bytes: int
) -> None:
    """Whatever their keys hold, at any length, in any template; and every key fits."""
    one, other = pair
    for keys in (KeyTemplate(template, max_bytes=max_bytes), table_keys):
        texts = keys(removal(**one)), keys(removal(**other))
        assert (texts[0] == texts[1]) == (one == other)
        assert len(texts[0].encode()) <= (DEFAULT_MAX_KEY_BYTES if keys is table_keys else max_bytes)


@given(pieces, pieces, pieces, pieces)
def test_what_a_table_is_called_keeps_its_items_apart(table: str, value: str, other_table: str, other: str) -> None:
    """With the table in the template, tables share a cache and no key."""
    assume((table, value) != (other_table, other))
    keys = KeyTemplate("{table}:{a}")
    assert keys(removal(table, a=value)) != keys(removal(other_table, a=other))


@given(
    st.sampled_from(["{{{a}}}:{b}", "x{{{a}}}{b}", "{b}:{{{a}}}", "{{t-{a}}}{b}"]),
    long_pieces,
    long_pieces,
    long_pieces,
)
@example("{{{a}}}:{b}", "t" * 100, "short", "long" * 300)
def test_items_with_one_hash_tag_lie_in_one_slot(template: str, tenant: str, one: str, other: str) -> None:
    """However long the rest of a key is, and whether it is shortened or not."""
    assume(tenant)
    keys = KeyTemplate(template)
    slots = {key_slot(keys(removal(a=tenant, b=value)).encode()) for value in (one, other)}
    assert len(slots) == 1


@given(pieces, pieces)
def test_no_value_can_forge_a_hash_tag(one: str, other: str) -> None:
    """A value's braces never decide where a key lies: without a tag in the template there is none in the key."""
    for keys in (KeyTemplate("k:{a}:{b}"), table_keys):
        key = keys(removal(a=one, b=other))
        assert not set("{}") & set(key)
    tagged = KeyTemplate("{{{a}}}:{b}")(removal(a=one, b=other))
    assert (tagged.count("{"), tagged.count("}")) == (1, 1)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("", "names no attribute"),
        ("users", "names no attribute"),
        ("{table}", "names no attribute"),
        ("users:{}", "single brace at character 7"),
        ("users:{id", "single brace at character 7"),
        ("users:id}", "single brace at character 9"),
        ("{a{b}}", "single brace at character 1"),
        ("{a}{b}", "puts nothing between two placeholders"),
        ("{a}0{b}", "puts nothing between two placeholders"),
        ("{a}beef{b}", "puts nothing between two placeholders"),
        ("50%:{id}", "has a %"),
        ("{{{id}}}", "not one hash tag with something beside it"),
        ("{{a}}{{b}}:{id}", "not one hash tag"),
        ("{{}}:{id}", "not one hash tag"),
        ("{{a:{id}", "not one hash tag"),
        ("a}}:{id}", "not one hash tag"),
        ("}}a{{:{id}", "not one hash tag"),
        ("{id}" + "x" * 1000, "does not fit into 1024 bytes"),
        ("\ud800:{id}", "half a surrogate pair"),
    ],
)
def test_a_template_that_can_not_be_right_is_refused_at_once(template: str, problem: str) -> None:
    """At start-up, not at the first record that hits it."""
    with pytest.raises(ConfigurationError, match=problem):
        KeyTemplate(template)


@pytest.mark.parametrize(
    ("template", "key", "problem"),
    [
        ("users:{pk}", {"pk": "a", "sk": "b"}, r"leaves out sk of the primary key \(pk, sk\)"),
        ("users:{pk}:{name}", {"pk": "a"}, r"names name, not part of the primary key \(pk\)"),
        ("users:{id!r}", {"id": "a"}, "leaves out id"),
        ("{table}:{id}", {"table": "a", "id": "b"}, "can't tell the key attribute 'table' from the table's name"),
    ],
)
def test_a_template_that_does_not_fit_the_table_is_refused(template: str, key: dict[str, str], problem: str) -> None:
    """With only part of the key two items could share a cache key; with more a removal could not be mapped."""
    with pytest.raises(ConfigurationError, match=problem):
        KeyTemplate(template)(removal(**key))


def test_a_template_may_leave_out_what_is_fixed() -> None:
    """It is for items that have that alone, so two of them never share a key."""
    keys = KeyTemplate("profile:{PK}", fixed={"SK": "PROFILE"})
    assert keys(removal(PK="USER#1", SK="PROFILE")) == "profile:USER#1"
    other: Any
    for other in ("ORDER#1", {"N": "1"}, {"B": "UFJPRklMRQ=="}):
        with pytest.raises(RecordError, match="is for items whose key attribute SK is 'PROFILE' alone") as refused:
            keys(removal(PK="USER#1", SK=other))
        assert "ORDER" not in str(refused.value)


@pytest.mark.parametrize(
    "key", [{"PK": "a"}, {"PK": "a", "n": "b"}, {"SK": "PROFILE"}, {"PK": "a", "SK": "b", "n": "c"}]
)
def test_what_is_fixed_is_part_of_the_tables_key(key: dict[str, str]) -> None:
    """Or the template does not fit it."""
    with pytest.raises(ConfigurationError, match=r"(leaves out|names) .*the primary key"):
        KeyTemplate("profile:{PK}", fixed={"SK": "PROFILE"})(removal(**key))


@pytest.mark.parametrize(
    ("fixed", "problem"),
    [
        ({"id": "x"}, "has a fixed id, and names it"),
        ({"table": "x"}, "has a fixed table, and names it"),
        ({"SK": ""}, "not a name with a text"),
        ({"": "x"}, "not a name with a text"),
        ({"SK": 1}, "not a name with a text"),
        ("SK", "no mapping"),
    ],
)
def test_what_can_not_be_fixed_is_refused(fixed: Any, problem: str) -> None:
    """At start-up."""
    with pytest.raises(ConfigurationError, match=problem):
        KeyTemplate("users:{id}", fixed=fixed)


@pytest.mark.parametrize(
    "value",
    [{"S": 1}, {"N": "SECRET"}, {"B": "SECRET!"}, {"BOOL": True}, {"SS": ["SECRET"]}, {}, {"S": "SECRET\ud800"}],
)
def test_a_malformed_key_attribute_makes_a_poison_record(value: dict[str, Any]) -> None:
    """The error names the attribute and repeats nothing of it."""
    for keys in (KeyTemplate("users:{id}"), table_keys):
        with pytest.raises(RecordError, match=r"^dynamodb\.Keys\.id: (?!.*SECRET)"):
            keys(removal(id=value))
