"""DynamoDB numbers as text: checked, never through a float.

Rule: a number is a decimal text of at most 38 significant digits, zero or of magnitude 1E-130 to 9.99…E+125
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html). Two texts are
the same number if their plain form is the same.
"""

import re

MAX_DIGITS = 38
_MAX_TEXT = 512  # leading and trailing zeros included; the longest sensible text has about 170 characters

# No exponent, no stray zeros or signs: at up to 38 characters valid JSON as it stands, and within every limit. Put as
# what must not follow, because a pattern that does not match makes no match object: it is tried on most numbers.
not_simple_number = re.compile(r"(?!-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\Z)").match
_json = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_any = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?").fullmatch


def json_number(text: str) -> str:
    """The number as JSON writes it: the same digits where the text is JSON already, else the plain form.

    Raises:
        ValueError: Not a DynamoDB number. The text is not repeated in the error.
    """
    if len(text) <= MAX_DIGITS and not_simple_number(text) is None:
        return text
    plain = plain_number(text)
    return text if _json(text) else plain


def plain_number(text: str) -> str:
    """The one plain form of a number: no exponent, no leading or trailing zeros, no plus, no minus zero.

    `1`, `1.0` and `1E0` all give `1`; `5E-3` gives `0.005`.

    Raises:
        ValueError: Not a DynamoDB number. The text is not repeated in the error.
    """
    match = _any(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise ValueError("not a decimal number")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", int(match[4] or 0)
    digits = (whole + fraction).lstrip("0")
    exponent -= len(fraction)
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent += len(digits) - len(significant)
    if len(significant) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} significant digits")
    if not -130 <= exponent + len(significant) - 1 <= 125:
        raise ValueError("a number outside 1E-130 to 9.99E+125")
    minus = "-" if sign == "-" else ""
    if exponent >= 0:
        return f"{minus}{significant}{'0' * exponent}"
    padded = significant.rjust(1 - exponent, "0")
    return f"{minus}{padded[:exponent]}.{padded[exponent:]}"
