"""Every error this library raises, sorted by who must act.

No error text holds an item's contents: at most attribute names of the top level, key names, sequence numbers and
the error code of a server.
"""


class CacheSyncError(Exception):
    """The root of every error raised here.

    Attributes:
        hint: What to do next, one sentence; the last part of the error's text. None where the text says it all.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Join message and hint into the error's text."""
        super().__init__(message if hint is None else f"{message}. {hint}")
        self.hint = hint


class RecordError(CacheSyncError):
    """The input's fault: a record, event or item that can't be read or can't be carried.

    Trying again will not help. In a batch it makes a poison record: reported, while all others are applied.

    Attributes:
        sequence_number: The record's, as delivered; None where it has none or it can't be read.
    """

    def __init__(self, message: str, *, sequence_number: str | None = None, hint: str | None = None) -> None:
        """Put the sequence number, where known, in front of the message."""
        super().__init__(message if sequence_number is None else f"record {sequence_number}: {message}", hint=hint)
        self.sequence_number = sequence_number


class CacheError(CacheSyncError):
    """The cache refused: permissions, a wrong type, a key it will not take."""


class CacheUnavailable(CacheError):
    """The cache could not be reached, or kept failing, until the deadline.

    Raised out of a Lambda handler on purpose: Lambda then delivers the whole batch again.
    """


class TableError(CacheSyncError):
    """DynamoDB refused, or the table or its stream is not what was expected."""


class ConfigurationError(CacheSyncError):
    """A setting or argument that can't be right."""
