"""Every error this library raises, sorted by who must act.

No error text holds an item's contents: at most attribute names of the top level, key names, sequence numbers and
the error code of a server.
"""


class CacheSyncError(Exception):
    """The root of every error raised here.

    Attributes:
        what: What is wrong, without the hint and no full stop at its end.
        problem: What is wrong, with the hint.
        hint: What to do next, one sentence. None where the problem says it all.
    """

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        self.what = problem
        self.hint = hint
        self.problem = problem if hint is None else f"{problem}. {hint}"
        super().__init__(self.problem)


class RecordError(CacheSyncError):
    """The input's fault: a record, event or item that can't be read or can't be carried.

    Trying again will not help. In a batch it makes a poison record: reported, while all others are applied.

    Attributes:
        sequence_number: The record's, as delivered; None where it has none or it can't be read.
    """

    def __init__(self, problem: str, *, sequence_number: str | None = None, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.sequence_number = sequence_number

    def __str__(self) -> str:
        return self.problem if self.sequence_number is None else f"record {self.sequence_number}: {self.problem}"


class CacheError(CacheSyncError):
    """The cache refused: permissions, a wrong type, a key it will not take."""


class CacheUnavailable(CacheError):  # noqa: N818 - says what it is: try again later
    """The cache could not be reached, or kept failing, until the deadline.

    Raised out of a Lambda handler on purpose: Lambda then delivers the whole batch again.
    """


class DeadlineExceeded(CacheSyncError):  # noqa: N818 - says what it is
    """The batch was not decoded and encoded by the deadline; some of it may be applied.

    Raised out of a Lambda handler on purpose, before Lambda cuts it off: Lambda then delivers the batch again, halved
    where `BisectBatchOnFunctionError` is on.
    """


class TableError(CacheSyncError):
    """DynamoDB refused, or the table or its stream is not what was expected."""


class ConfigurationError(CacheSyncError):
    """A setting or argument that can't be right."""
