"""Redrive of old records where items have lookup keys: whoever has a value in the table has its key in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.sync.test_redrive import DAY, KEYS, World

from ddb_cache_sync import LookupKey, Projection
from ddb_cache_sync.sync import redriving

if TYPE_CHECKING:
    from pathlib import Path

    from ddb_cache_sync.core.lookups import Holds

BY = "by:"


class Emails(World):
    """Users with a lookup key by e-mail address."""

    def __init__(self, folder: Path, holds: Holds = "key") -> None:
        super().__init__(folder, Projection(KEYS, lookups=[LookupKey("by:{email}", holds=holds)]))

    def apply(self, identity: str, email: str) -> Any:
        """Put an item, and apply its record; gives it."""
        record = self.put(identity, email=email)
        assert self.replicator.apply([record]).failed == 0
        return record

    @property
    def lookups(self) -> dict[str, bytes]:
        """What the lookup keys hold."""
        return {key.removeprefix(BY): value for key, value in self.cache.values.items() if key.startswith(BY)}


@pytest.fixture
def emails(tmp_path: Path) -> Emails:
    return Emails(tmp_path)


@pytest.mark.parametrize("chunk", [5000, 1], ids=["at once", "one by one"])
@pytest.mark.parametrize("taker_first", [False, True], ids=["giver first", "taker first"])
def test_a_value_that_two_old_records_pass_on_leads_to_who_has_it(
    emails: Emails, monkeypatch: pytest.MonkeyPatch, chunk: int, taker_first: bool
) -> None:
    """Wherever one chunk ends and the next begins: what the giver releases, the taker claims."""
    monkeypatch.setattr(redriving, "_CHUNK", chunk)
    emails.apply("1", "a")
    passed = [emails.put("1", email="b", age=2 * DAY), emails.put("2", email="a", age=2 * DAY)]
    emails.give_up(*(reversed(passed) if taker_first else passed))
    for _ in range(2):
        report = emails.redrive()
        assert (report.read_again, report.failed) == (2, 0)
        assert emails.lookups == {"a": b"users:2", "b": b"users:1"}


def test_a_value_that_went_through_many_hands_leads_to_the_last(emails: Emails) -> None:
    """More than are looked at together."""
    emails.apply("0", "a")
    records = []
    for number in range(250):
        records.append(emails.put(str(number), email=f"own-{number}", age=2 * DAY))
        records.append(emails.put(str(number + 1), email="a", age=2 * DAY))
    emails.give_up(*records)
    report = emails.redrive()
    assert (report.read_again, report.failed) == (500, 0)
    right = {f"own-{number}": f"users:{number}".encode() for number in range(250)}
    assert emails.lookups == right | {"a": b"users:250"}
