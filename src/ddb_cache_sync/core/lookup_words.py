"""What the guard of a lookup key remembers: the last word of each item, as `lookups.lua` writes it. Pure."""

from typing import NamedTuple


class LastWord(NamedTuple):
    """What an item said last of a lookup key."""

    version: str
    """The version of the change that it said it with."""
    claims: bool
    """Whether it claimed the key; else it released it."""
    expires_at_ms: int | None = None
    """When the claim expires, epoch milliseconds; None: never, or it is none."""

    def claims_at(self, now: float) -> bool:
        """Whether it is a claim that has not expired by then, epoch seconds."""
        return self.claims and (self.expires_at_ms is None or self.expires_at_ms > now * 1000)


def parse_words(text: bytes) -> dict[str, LastWord]:
    """The last word of each item, by the item's own cache key.

    Raises:
        ValueError: Not written by that script.
    """
    found: dict[str, LastWord] = {}
    at = 0

    def part() -> bytes:
        nonlocal at
        colon = text.index(b":", at)
        end = colon + 1 + int(text[at:colon])
        at = end
        if end > len(text):
            raise ValueError("cut off")
        return text[colon + 1 : end]

    while at < len(text):
        item, word = part().decode(), part().decode()
        until, _, version = word.partition("|")
        if until[:1] not in ("+", "-"):
            raise ValueError("neither a claim nor a release")
        claims = until[0] == "+"
        found[item] = LastWord(version, claims, int(until[1:]) if claims and until != "+~" else None)
    return found
