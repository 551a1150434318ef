"""Broken versions, keys, batches and outcomes: what is decided without any I/O."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_VERSIONS: Final = ("tests/core/test_versions.py",)
_KEYS: Final = ("tests/core/test_keys.py",)
_ORDER: Final = ("tests/fundamentals/test_02_any_order.py",)
_POISON: Final = ("tests/fundamentals/test_05_poison_records.py",)

IN_CORE: Final = (
    # Versions.
    Mutant(
        "the stream's label is dropped",
        "core/versions.py",
        'return f"{stream_label_ms:013d}:"',
        'return "0000000000000:"',
        _VERSIONS,
    ),
    Mutant(
        "the label is cut to seconds",
        "core/versions.py",
        "(created - _EPOCH) // _MILLISECOND",
        "(created - _EPOCH) // _MILLISECOND // 1000 * 1000",
        _VERSIONS,
    ),
    Mutant(
        "a number's length is dropped",
        "core/versions.py",
        "_LENGTH_PREFIX[len(digits)]",
        "_LENGTH_PREFIX[0]",
        _VERSIONS,
    ),
    Mutant(
        "leading zeros count", "core/versions.py", 'sequence_number.lstrip("0") or "0"', "sequence_number", _VERSIONS
    ),
    Mutant(
        "a repair leaves the version it found",
        "core/repairs.py",
        'f"{version}:1"',
        "version",
        ("tests/core/test_repairs.py",),
    ),
    Mutant(
        "a second repair does not show",
        "core/repairs.py",
        "int(suffix) + 1",
        "int(suffix)",
        ("tests/core/test_repairs.py",),
    ),
    # Keys and guards.
    Mutant(
        "a guard lies in another slot",
        "core/guards.py",
        'f"{prefix}{{{cache_key}}}"',
        "prefix + cache_key",
        ("tests/core/test_guards.py",),
    ),
    Mutant("% is not escaped", "core/templates.py", r'r"%{}:\x00', r'r"{}:\x00', _KEYS),
    Mutant(
        ": is not escaped",
        "core/templates.py",
        r'_ALWAYS_ESCAPED: Final = r"%{}:\x00',
        r'_ALWAYS_ESCAPED: Final = r"%{}\x00',
        _KEYS,
    ),
    Mutant("{ is not escaped", "core/templates.py", r'r"%{}:\x00', r'r"%}:\x00', _KEYS),
    Mutant("} is not escaped", "core/templates.py", r'r"%{}:\x00', r'r"%{:\x00', _KEYS),
    Mutant(
        "a template's own separator is not escaped",
        "core/templates.py",
        "            escaped += re.escape(possible[0])",
        "            pass",
        _KEYS,
    ),
    Mutant(
        "a long value is cut, not hashed",
        "core/templates.py",
        "hashlib.sha256(text)",
        "hashlib.sha256(text[:64])",
        _KEYS,
    ),
    Mutant(
        "numbers are keys as they are written",
        "core/templates.py",
        "return plain_number(decode_text(wire))",
        "return decode_text(wire)",
        _KEYS,
    ),
    # Batches and outcomes.
    Mutant(
        "the oldest of a batch is written",
        "sync/batch.py",
        "key=_NEWEST_FIRST, reverse=True",
        "key=_NEWEST_FIRST",
        _ORDER,
    ),
    Mutant(
        "the last of a batch is written",
        "sync/batch.py",
        "_NEWEST_FIRST: Final = itemgetter(0, 1)",
        "_NEWEST_FIRST: Final = itemgetter(1)",
        _ORDER,
    ),
    Mutant(
        "what hides behind a poison record is lost",
        "sync/batch.py",
        "self.errors[newest.place] = self._explained(newest.place, error)\n                    continue",
        "self.errors[newest.place] = self._explained(newest.place, error)\n                    break",
        _POISON,
    ),
    Mutant(
        "a poison record stops the others",
        "sync/batch.py",
        "                self.errors[place] = error\n                continue",
        "                self.errors[place] = error\n                break",
        _POISON,
    ),
    Mutant(
        "a poison record is not reported",
        "sync/batch.py",
        "        reasons = {place: error.problem for place, error in self.errors.items()}\n",
        "        reasons: dict[int, str] = {}\n",
        _POISON,
    ),
    Mutant(
        "the highest failure is named",
        "core/outcomes.py",
        "lowest = min(",
        "lowest = max(",
        (*_POISON, "tests/core/test_outcomes.py"),
    ),
    Mutant(
        "the lowest failure is found by text",
        "core/outcomes.py",
        "return len(digits), digits",
        "return 0, digits",
        ("tests/core/test_outcomes.py",),
    ),
    Mutant(
        "a removal is taken for a change without its image",
        "core/stream_records.py",
        '    if event_name == "REMOVE":\n        return new_tuple(Remove,',
        '    if event_name == "DELETE":\n        return new_tuple(Remove,',
        ("tests/core/test_stream_records.py",),
    ),
    Mutant(
        "a removal that goes the straight way writes what it carries",
        "sync/batch.py",
        'removed = event_name == "REMOVE"',
        'removed = event_name == "REMOVE" and new is None',
        ("tests/sync/test_straight_way.py",),
    ),
    Mutant(
        "a key of many characters goes the straight way",
        "core/keys.py",
        "not 0 < len(plain) <= LONG_VALUE_BYTES or odd(plain) is not None",
        "odd(plain) is not None",
        ("tests/sync/test_straight_way.py", "tests/core/test_keys.py"),
    ),
    Mutant(
        "what is escaped goes the straight way as it is",
        "core/keys.py",
        "<= LONG_VALUE_BYTES or odd(plain) is not None",
        "<= LONG_VALUE_BYTES",
        ("tests/core/test_keys.py",),
    ),
    Mutant(
        "a transform is passed by on the straight way",
        "core/projection.py",
        "simple = self._plain and",
        "simple = self._expiry is None and",
        ("tests/sync/test_straight_way.py",),
    ),
    Mutant(
        "an absent image is an empty one",
        "core/stream_records.py",
        'keys, new, old = body["Keys"], body.get("NewImage"), body.get("OldImage")',
        'keys, new, old = body["Keys"], body.get("NewImage", {}), body.get("OldImage")',
        ("tests/core/test_stream_records.py",),
    ),
    Mutant(
        "a number goes through a float",
        "core/encodings/json_encoding.py",
        "        return orjson.Fragment(wire)\n    return",
        "        return orjson.Fragment(str(float(wire)))\n    return",
        ("tests/core/encodings",),
    ),
    Mutant(
        "what a transform leaves out is written",
        "core/projection.py",
        "value = None if item is None else self._encoded(item)",
        "value = self._encoded(change.item if item is None else item)",
        ("tests/core/test_projection.py", "tests/core/test_transforms.py"),
    ),
)
