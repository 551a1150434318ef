"""DynamoDB's numbers: which texts are one, and which of them are the same."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.core.strategies import number_texts, plain_numbers

from ddb_cache_sync.core.numbers import json_number, plain_number

NINES = "9" * 38


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1E0", "1"),
        ("+1", "1"),
        ("01", "1"),
        ("1.", "1"),
        (".5", "0.5"),
        ("5E-3", "0.005"),
        ("-12.50", "-12.5"),
        ("1.5e2", "150"),
        ("-0.5E+1", "-5"),
        (NINES, NINES),
        (f"-{NINES}", f"-{NINES}"),
        (f"0.{NINES}", f"0.{NINES}"),
        (f"{NINES}0", f"{NINES}0"),
        ("1E125", "1" + "0" * 125),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_has_one_plain_form(text: str, plain: str) -> None:
    """No exponent, no stray zeros, no plus: all 38 digits stay."""
    assert plain_number(text) == plain


@pytest.mark.parametrize(
    "text", ["0", "-0", "+0", "0.0", "-0.000", "00", ".0", "0.", "0E0", "0E5", "0e-9999", "-0E+9999"]
)
def test_zero_in_every_spelling_is_zero(text: str) -> None:
    """Neither a sign nor an exponent makes another zero."""
    assert plain_number(text) == "0"


@pytest.mark.parametrize(
    "text",
    ["1E-130", "-1E-130", "1E+125", "9.9999999999999999999999999999999999999E+125", f"{NINES}E88", f"{NINES}E-130"],
)
def test_numbers_up_to_the_border_are_numbers(text: str) -> None:
    """DynamoDB's limits are within."""
    assert Decimal(plain_number(text)) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["9.9E-131", "-1E-131", "1E126", "-1E126", f"{NINES}E89", "1E9999", "1E-9999", "0." + "0" * 130 + "1"]
)
def test_numbers_just_outside_the_border_are_refused(text: str) -> None:
    """Too large or too small by one power of ten is not a DynamoDB number."""
    for number in (plain_number, json_number):
        with pytest.raises(ValueError, match="outside 1E-130 to"):
            number(text)


@pytest.mark.parametrize("text", ["1" * 39, f"1.{NINES}", f"-0.{NINES}1", f"1{'0' * 37}1", f"{'1' * 39}E10"])
def test_39_digits_are_refused(text: str) -> None:
    """They could not be kept, so they are not cut either."""
    for number in (plain_number, json_number):
        with pytest.raises(ValueError, match="more than 38 significant digits"):
            number(text)


@pytest.mark.parametrize("text", [f"1{'0' * 38}", f"{'0' * 100}1", f"0.{'0' * 60}1{'0' * 60}"])
def test_zeros_around_the_digits_do_not_count(text: str) -> None:
    """Only the significant digits are limited."""
    assert Decimal(plain_number(text)) == Decimal(text)


NOT_NUMBERS = [
    "", " ", ".", "-", "+", "-.", "e5", ".e5", "1e", "1e+", "--1", "+-1", "1 ", " 1", "1\n", "1_000", "1,5", "1.2.3",
    "0x10", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "one", "\u0661", "\uff11", "1\u066b5", "\u00b2",
    "1e\u0663", "1E12345", "\x001",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_not_a_decimal_number_is_refused(text: str) -> None:
    """Digits of other scripts, NaN and infinities among them."""
    for number in (plain_number, json_number):
        with pytest.raises(ValueError, match=r"^not a decimal number$"):
            number(text)


@pytest.mark.parametrize("text", ["1" * 1_000_000, "0" * 1_000_000, "1E" + "9" * 1_000_000, "1." + "0" * 1_000_000])
def test_huge_texts_are_refused_without_reading_them(text: str) -> None:
    """A record can't keep the decoder busy with one number."""
    started = time.process_time()
    with pytest.raises(ValueError, match="not a decimal number"):
        json_number(text)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("text", ["1" * 39, "SECRET", "9" * 600, "1E130"])
def test_an_error_does_not_repeat_the_text(text: str) -> None:
    """A number can be as private as any other content."""
    with pytest.raises(ValueError, match=r"^(?!.*SECRET)(?!.*999999)(?!.*111111)(?!1E130)") as caught:
        plain_number(text)
    assert text not in str(caught.value)


@given(st.one_of(number_texts(), plain_numbers()))
def test_the_plain_form_is_the_same_number(text: str) -> None:
    """Nothing is lost, whatever the spelling, and the plain form is its own plain form."""
    plain = plain_number(text)
    assert Decimal(plain) == Decimal(text)
    assert plain_number(plain) == plain
    assert not set(plain) & set("eE+")


@given(number_texts(), number_texts())
@example("1", "1.0")
@example("-0", "0")
@example("10", "1E1")
def test_two_texts_are_one_number_if_their_plain_form_is_one(one: str, other: str) -> None:
    """The plain form can stand for the number in a key."""
    assert (plain_number(one) == plain_number(other)) == (Decimal(one) == Decimal(other))


@given(st.one_of(number_texts(), plain_numbers()))
@example("-0")
@example("1E400".replace("400", "40"))
def test_the_json_form_is_json_for_the_same_number(text: str) -> None:
    """What is JSON already is left as it is; all else is written plainly."""
    written = json_number(text)
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == Decimal(text)
    try:
        json.loads(text, parse_int=Decimal)
    except json.JSONDecodeError:
        assert written == plain_number(text)
    else:
        assert written == text


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """No other error, and nothing that Decimal does not take as well."""
    try:
        written = json_number(text)
    except ValueError:
        return
    assert Decimal(written) == Decimal(text)


@given(st.text("0123456789.eE+-", max_size=12))
def test_number_like_texts_are_numbers_when_decimal_takes_them(text: str) -> None:
    """Within the limits, what Decimal reads is read, and what it refuses is refused."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = None
    assume(number is None or not number or -130 <= number.adjusted() <= 125)
    assume("e" not in text.lower() or len(text.lower().split("e", 1)[1].lstrip("+-")) <= 4)
    if number is None:
        with pytest.raises(ValueError, match="not a decimal number"):
            plain_number(text)
    else:
        assert Decimal(plain_number(text)) == number
