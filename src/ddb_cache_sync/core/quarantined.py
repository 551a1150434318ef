"""Records set aside: what a quarantine keeps of one, and under which name. Pure: it keeps nothing itself.

Rules:

1. The document has the record as it was delivered, as an event of one record under `payload`: what applies an event, or
   reads what an on-failure destination keeps, reads this too.
2. Name and document come from the record and the reason alone. So the same record, delivered twice, is kept once
   wherever things are kept by name.
3. No part of the name is taken from the record unchecked: it may be a poison record because it was made up.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

from ddb_cache_sync.core.kinesis_records import change_in, table_name
from ddb_cache_sync.core.stream_records import sequence_number_of
from ddb_cache_sync.core.versions import StreamArn
from ddb_cache_sync.errors import RecordError

DOCUMENT_FORMAT: Final = 1
"""The value of `quarantine.format` in a document."""

_UNKNOWN: Final = "unknown"
_NUMBER_CHARACTERS: Final = 60  # Kinesis has numbers of up to 129 digits; the digest tells records apart anyway
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A poison record, with all that is needed to bring it back."""

    record: Any = field(repr=False)
    """As it was delivered."""
    reason: str
    """Why it can't be applied; attribute and field names at most, no contents."""
    table: str | None
    """The table's name; None where the record does not tell it."""
    stream_arn: str | None
    """The stream that it came from; None where the record does not tell it."""
    sequence_number: str | None
    """As delivered; None where it has none that can be read."""
    name: str
    """Where to keep it: `<table>/<sequence number>-<digest>.json`, of letters, digits and `._-` in both parts."""
    document: str = field(repr=False)
    """What to keep: JSON, ASCII characters only. Holds the item's contents."""

    @classmethod
    def of(cls, record: Any, reason: str) -> Self:
        """The record, ready to be kept.

        Raises:
            RecordError: JSON can't carry it.
        """
        try:
            # Not orjson: what is kept here may be what nothing else can read, and stays readable in any editor.
            text = json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_base64)
        except (TypeError, ValueError, RecursionError):
            raise RecordError("the record can't be written as JSON") from None
        table, stream_arn = _source(record)
        number = sequence_number_of(record)
        digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
        about = {
            "format": DOCUMENT_FORMAT,
            "reason": reason,
            "table": table,
            "streamArn": stream_arn,
            "sequenceNumber": number,
        }
        folder = _UNKNOWN if table is None or not table.strip(".") else table
        return cls(
            record,
            reason,
            table,
            stream_arn,
            number,
            f"{folder}/{(number or _UNKNOWN)[:_NUMBER_CHARACTERS]}-{digest}.json",
            f'{{"quarantine":{json.dumps(about)},"payload":{{"Records":[{text}]}}}}',
        )


def _base64(value: object) -> str:
    """Binary values as Lambda delivers them, where boto3 has delivered bytes."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    raise TypeError


def _source(record: Any) -> tuple[str | None, str | None]:
    """The table and the stream that a record names, if what it says can be right."""
    arn = record.get("eventSourceARN") if isinstance(record, dict) else None
    if not isinstance(arn, str) or not (arn.isascii() and arn.isprintable()):
        return None, None
    try:
        return StreamArn.parse(arn).table, arn
    except ValueError:
        pass
    try:
        _, change = change_in(record)
        return table_name(change["tableName"]), arn
    except (ValueError, KeyError, TypeError):
        return None, arn
