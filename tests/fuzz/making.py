"""What is fed to the library, made from a `random.Random`: so hypothesis can shrink it, and a seed replays it.

Most is well-formed and a part of it spoilt: what is all noise is refused at the door.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_LETTERS: Final = "abcXYZ019 _-.:{}~%/\\\"'\n\t"
_ODD_TEXTS: Final = (
    "",
    "é",
    "🙂",
    "日本語",
    "\x00",
    "\x7f",
    "\u2028",
    "a" * 300,
    "\ud800",
    "\udfff",
    "{}",
    "{id}",
    "..",
    "~v:{x}",
    "null",
    "NaN",
    "1e400",
    "aws:rep:updatetime",
)
_NUMBERS: Final = (
    "0",
    "-0",
    "1",
    "-1",
    "00012",
    "1.50",
    "+7",
    ".5",
    "5.",
    "1e10",
    "1E-10",
    "-1.25e+3",
    "9" * 38,
    "-" + "9" * 38,
    "0." + "9" * 38,
    "1E+125",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "1234567890123456789012345678901234567E-50",
)
_ODD_NUMBERS: Final = (
    "",
    " 1",
    "1 ",
    "1_000",
    "0x10",
    "1e",
    "e1",
    "--1",
    "NaN",
    "Infinity",
    "-inf",
    "1" * 39,
    "1E+126",
    "1E-131",
    "1e999999999",
    "1e-999999999",
    "9" * 5000,
    "1" + "0" * 5000,
    "٣",
    "1,5",
    "1.2.3",
)
TAGS: Final = ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS")


def text(r: random.Random, *, odd: float = 0.1) -> str:
    """A text, at times an odd one; half surrogates among these."""
    if r.random() < odd:
        return r.choice(_ODD_TEXTS)
    return "".join(r.choices(_LETTERS, k=r.randrange(8)))


def fine_text(r: random.Random) -> str:
    """A text that UTF-8 can hold."""
    made = text(r, odd=0.2)
    return made.encode("utf-8", "replace").decode()


def number(r: random.Random) -> str:
    """The text of a number that DynamoDB can hold."""
    if r.random() < 0.3:
        return r.choice(_NUMBERS)
    digits = str(r.getrandbits(r.choice((4, 16, 64, 120))))
    point = r.randrange(len(digits) + 1)
    made = digits if r.random() < 0.5 else f"{digits[:point]}.{digits[point:]}"
    made = "0" + made if made.startswith(".") or r.random() < 0.1 else made
    exponent = f"{r.choice('eE')}{r.randrange(-60, 60):+d}" if r.random() < 0.2 else ""
    return f"{r.choice(('', '', '-'))}{made}{exponent}"


def key_value(r: random.Random) -> dict[str, Any]:
    """The value of a key attribute, as boto3 has it."""
    tag = r.choice(("S", "S", "N", "B"))
    if tag == "S":
        return {"S": fine_text(r) or "k"}
    return {"N": str(r.randrange(10**6))} if tag == "N" else {"B": r.randbytes(1 + r.randrange(6))}


def value(r: random.Random, depth: int = 0) -> dict[str, Any]:
    """An attribute value, as boto3 has it."""
    tag = r.choice(TAGS if depth < 3 or r.random() < 0.3 else TAGS[:5])
    count = r.randrange(4)
    match tag:
        case "S":
            return {tag: fine_text(r)}
        case "N":
            return {tag: number(r)}
        case "B":
            return {tag: r.randbytes(r.randrange(12))}
        case "BOOL":
            return {tag: r.random() < 0.5}
        case "NULL":
            return {tag: True}
        case "M":
            return {tag: {fine_text(r): value(r, depth + 1) for _ in range(count)}}
        case "L":
            return {tag: [value(r, depth + 1) for _ in range(count)]}
        case "SS":
            return {tag: sorted({fine_text(r) for _ in range(1 + count)})}
        case "NS":
            return {tag: [*{number(r) for _ in range(1 + count)}]}
        case _:
            return {tag: sorted({r.randbytes(r.randrange(6)) for _ in range(1 + count)})}


def item(r: random.Random) -> dict[str, Any]:
    """An item, as boto3 has it."""
    return {fine_text(r) or "a": value(r) for _ in range(r.randrange(6))}


def lambda_form(wire: Any) -> Any:
    """The same with bytes as base64 text."""
    if isinstance(wire, bytes):
        return base64.b64encode(wire).decode()
    if isinstance(wire, dict):
        return {name: lambda_form(member) for name, member in wire.items()}
    return [lambda_form(member) for member in wire] if isinstance(wire, list) else wire


def record(r: random.Random, names: Sequence[str], sequence_number: int) -> dict[str, Any]:
    """A record of a table with these key attributes, as boto3 has it."""
    keys = {name: {"S": f"k{r.randrange(6)}"} for name in names}
    event = r.choice(("INSERT", "MODIFY", "MODIFY", "REMOVE"))
    body: dict[str, Any] = {
        "ApproximateCreationDateTime": r.choice((1_745_415_437, 1_745_415_437.25, 0)),
        "Keys": keys,
        "SequenceNumber": str(sequence_number),
        "SizeBytes": r.randrange(400_000),
        "StreamViewType": r.choice(("NEW_IMAGE", "NEW_AND_OLD_IMAGES")),
    }
    if event != "REMOVE":
        body["NewImage"] = item(r) | keys
    if event != "INSERT" and body["StreamViewType"] == "NEW_AND_OLD_IMAGES":
        body["OldImage"] = item(r) | keys
    made = {
        "eventID": f"{sequence_number:x}",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": body,
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2025-04-23T13:37:16.991",
    }
    if event == "REMOVE" and r.random() < 0.3:
        made["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return made


def junk(r: random.Random, depth: int = 0) -> Any:  # noqa: C901 - a way each
    """Anything that JSON can hold, and what Python's parser takes beyond it."""
    kind = r.randrange(12 if depth < 3 else 8)
    match kind:
        case 0:
            return None
        case 1:
            return r.random() < 0.5
        case 2:
            return r.choice((0, -1, 2**63, 10**400, r.getrandbits(70)))
        case 3:
            return r.choice((0.0, -1.5, 1e308, float("inf"), float("nan")))
        case 4:
            return text(r, odd=0.5)
        case 5:
            return r.choice(_ODD_NUMBERS)
        case 6:
            return r.choice(TAGS)
        case 7:
            return lambda_form(value(r, 3))
        case 8 | 9:
            return [junk(r, depth + 1) for _ in range(r.randrange(4))]
        case 10:
            return {text(r, odd=0.4): junk(r, depth + 1) for _ in range(r.randrange(4))}
        case _:
            return {r.choice(TAGS): junk(r, depth + 1) for _ in range(r.randrange(3))}


def deep(r: random.Random) -> Any:
    """Something nested deeper than any item."""
    made: Any = {"S": "x"}
    for _ in range(r.choice((30, 33, 200))):
        made = {"L": [made]} if r.random() < 0.5 else {"M": {"a": made}}
    return made


def spoilt(r: random.Random, tree: Any) -> Any:
    """A copy with one place replaced by something else, left out, doubled or renamed."""
    made = copy.deepcopy(tree)
    holder, name = _place(r, made)
    if holder is None:
        return junk(r)
    way = r.randrange(8)
    if way == 0:
        del holder[name]
    elif way == 1 and isinstance(holder, dict):
        holder[text(r, odd=0.5)] = holder.pop(name)
    elif way == 1 and isinstance(holder, list):
        holder.append(holder[name])
    elif way == 2 and isinstance(holder, dict):
        holder[r.choice(TAGS)] = junk(r)
    elif way == 3:
        holder[name] = deep(r) if r.random() < 0.05 else r.choice(_ODD_NUMBERS)
    else:
        holder[name] = junk(r)
    return made


def _place(r: random.Random, tree: Any) -> tuple[Any, Any]:
    """A place in nested JSON: what holds it, and under which name; None where there is none."""
    holder, name = None, None
    at = tree
    while isinstance(at, dict | list) and at:
        if holder is not None and r.random() < 0.25:
            break
        holder = at
        name = r.choice([*at]) if isinstance(at, dict) else r.randrange(len(at))
        at = at[name]
    return holder, name


def spoilt_bytes(r: random.Random, content: bytes) -> bytes:
    """The bytes with some of them changed, cut off, doubled or put elsewhere."""
    made = bytearray(content)
    for _ in range(r.randrange(1, 4)):
        at = r.randrange(len(made) + 1)
        match r.randrange(6):
            case 0:
                made = made[:at]
            case 1:
                made[at:at] = r.randbytes(r.randrange(1, 5))
            case 2 if made:
                made[at % len(made)] ^= 1 << r.randrange(8)
            case 3:
                other = r.randrange(len(made) + 1)
                made[at:at] = made[min(at, other) : max(at, other)]
            case 4:
                made[at : at + r.randrange(1, 8)] = b""
            case _:
                made[at:at] = r.choice(
                    (b"[", b"{", b'"', b"\\", b"\xff", b"\xed\xa0\x80", b"1e999", b"null", b"\n=\n", b"[" * 3000)
                )
    return bytes(made)


def json_bytes(tree: Any) -> bytes:
    """Its JSON, as Python writes it: with NaN, huge integers and half surrogates, where there are any."""
    return json.dumps(tree, ensure_ascii=True).encode()
