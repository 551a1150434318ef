"""The version of a change: one text that sorts.

Format: `<stream label, epoch ms, 13 digits>:<number of digits, 2>:<digits>`, for example
`1745415436991:27:202328600001712385967261751`. Text order is version order, because every part has a fixed width or
is preceded by its own; so the cache compares versions as strings and never as numbers, which Lua holds as doubles.

A newer stream of the same table outranks the older one by its label. A repair leaves the version it found with a
suffix (`:1`) that sorts just above it and below every newer change.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

MAX_SEQUENCE_DIGITS = 40  # the service model: 21 to 40; emulators give shorter ones

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_LABEL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_VERSION = re.compile(rf"[0-9]{{13}}:([0-9]{{2}}):(0|[1-9][0-9]{{0,{MAX_SEQUENCE_DIGITS - 1}}})(?::[0-9]+)?")
_LENGTH_PREFIX = tuple(f"{length:02d}:" for length in range(MAX_SEQUENCE_DIGITS + 1))
_ARN = re.compile(
    r"arn:[^:]+:dynamodb:(?P<region>[^:]*):(?P<account>[^:]*):table/(?P<table>[A-Za-z0-9_.-]{1,255})/stream/(?P<label>.+)"
)


class Version(str):
    """A version in its text form; compares with other versions as text.

    A `str` underneath, since it is compared, sent and sorted as text, a thousand times a batch.
    """

    __slots__ = ()

    @classmethod
    def of(cls, stream_label_ms: int, sequence_number: str) -> Self:
        """The version of the record with this sequence number in the stream created at this time (epoch ms).

        Raises:
            ValueError: A sequence number that is not 1 to 40 digits, or a time outside 0 to year 2286.
        """
        return cls(label_prefix(stream_label_ms) + sortable_digits(sequence_number))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version written as this text.

        Raises:
            ValueError: Not the text of a version.
        """
        match = _VERSION.fullmatch(text)
        if match is None or int(match[1]) != len(match[2]):
            raise ValueError("not the text of a version: <13 digits>:<2 digits>:<digits>")
        return cls(text)

    @property
    def stream_label_ms(self) -> int:
        """When the stream was created, epoch ms."""
        return int(self[:13])

    @property
    def sequence_number(self) -> str:
        """The sequence number, without leading zeros."""
        return self.split(":")[2]


def is_of_later_stream(guard: str, stream_label_ms: int) -> bool:
    """Whether a guard holds the version of a stream made after this time: no change of this time's stream can win.

    Args:
        guard: What the guard holds; what is no version is of no stream.
        stream_label_ms: When the stream was created, epoch ms.
    """
    try:
        return Version.parse(guard).stream_label_ms > stream_label_ms
    except ValueError:
        return False


def label_prefix(stream_label_ms: int) -> str:
    """The first part of a version, with its colon.

    Raises:
        ValueError: A time outside 0 to year 2286 (13 digits).
    """
    if not 0 <= stream_label_ms < 10**13:
        raise ValueError("a stream label outside 0 to 9999999999999 ms")
    return f"{stream_label_ms:013d}:"


def sortable_digits(sequence_number: str) -> str:
    """Length and digits of a sequence number, leading zeros dropped: text that sorts as the number does.

    Raises:
        ValueError: Not 1 to 40 digits.
    """
    if not (sequence_number.isascii() and sequence_number.isdigit()):
        raise ValueError("not a sequence number: digits only")
    digits = sequence_number.lstrip("0") or "0"
    try:
        return _LENGTH_PREFIX[len(digits)] + digits
    except IndexError:
        raise ValueError(f"not a sequence number: more than {MAX_SEQUENCE_DIGITS} digits") from None


def parse_stream_label(label: str) -> int:
    """Epoch ms of a stream label such as `2025-04-23T13:37:16.991` (UTC; digits below ms are cut).

    Raises:
        ValueError: Not a stream label, or a time outside 1970 to 2286 (13 digits).
    """
    try:
        # fromisoformat takes weeks and bare dates too, and no label is one.
        created = datetime.fromisoformat(label) if _LABEL.match(label) else None
    except ValueError:
        created = None
    if created is None:
        raise ValueError("not a stream label: YYYY-MM-DDTHH:MM:SS.mmm")
    created = created.replace(tzinfo=UTC) if created.tzinfo is None else created
    label_ms = (created - _EPOCH) // _MILLISECOND
    label_prefix(label_ms)
    return label_ms


class StreamArn(NamedTuple):
    """What the ARN of a table's stream tells."""

    region: str
    account: str
    table: str
    label: str
    label_ms: int | None
    """Epoch ms; None where the label is not a time, as in some hand-made events."""

    @classmethod
    def parse(cls, arn: str) -> Self:
        """Read `arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>`.

        Raises:
            ValueError: Not the ARN of a table's stream.
        """
        match = _ARN.fullmatch(arn)
        if match is None or not arn.isascii():
            raise ValueError("not a stream's ARN: arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>")
        try:
            label_ms = parse_stream_label(match["label"])
        except ValueError:
            label_ms = None
        return cls(match["region"], match["account"], match["table"], match["label"], label_ms)
