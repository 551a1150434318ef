"""Redrive of old records where items have lookup keys: whoever has a value in the table has its key in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.sync.test_redrive import DAY, KEYS, World

from ddb_cache_sync import LookupKey, Projection, Replicator, Version
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.sync import redriving

if TYPE_CHECKING:
    from pathlib import Path

    import redis

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


def test_what_is_older_than_a_record_that_was_read_again_takes_no_lookup_key_away(emails: Emails) -> None:
    """The key agreed already, so it was the item's guard alone that said what is stale; and such releases its keys."""
    emails.apply("1", "a")
    older = emails.put("1", email="a", name="older", age=2 * DAY)
    emails.give_up(emails.put("1", email="a", name="newest", age=2 * DAY))
    report = emails.redrive()
    assert (report.read_again, report.failed) == (1, 0)
    for _ in range(2):
        assert emails.replicator.apply([older]).stale == 1
        assert emails.lookups == {"a": b"users:1"}
        emails.redrive()


@pytest.mark.parametrize("said", [0, 1], ids=["an older one", "the same"])
def test_nor_does_it_where_the_items_own_guard_was_left_above_it_already(emails: Emails, said: int) -> None:
    """And the lookup key with an older version: by a redrive that did not say the item's claims once more."""
    emails.apply("1", "a")
    older = emails.put("1", email="a", name="older", age=2 * DAY)
    newest = emails.put("1", email="a", name="newest", age=2 * DAY)
    if said:
        emails.replicator.apply([newest])
    words = {guard: {**said} for guard, said in emails.cache.words.items()}
    emails.replicator.apply([newest])
    emails.cache.words = words
    guard = guard_key("users:1")
    emails.cache.guards[guard] = Version(f"{emails.cache.guards[guard]}:1")
    emails.give_up(newest)
    assert emails.redrive().repaired == 0
    for late in (older, newest):
        assert emails.replicator.apply([late]).stale == 1
        assert emails.lookups == {"a": b"users:1"}


def test_nor_does_it_where_the_key_had_drifted(emails: Emails) -> None:
    """However the change compares with the words that were found."""
    emails.apply("1", "a")
    older = emails.put("1", email="b", name="older", age=2 * DAY)
    emails.give_up(emails.put("1", email="b", name="newest", age=2 * DAY))
    emails.redrive()
    assert emails.replicator.apply([older]).stale == 1
    assert emails.lookups == {"b": b"users:1"}


def test_the_record_that_was_read_again_may_come_by_the_stream_as_well(emails: Emails) -> None:
    """Whether its guard holds its version, or one just above; and the next change wins."""
    emails.apply("1", "a")
    newest = emails.put("1", email="a", name="newest", age=2 * DAY)
    emails.give_up(newest)
    emails.redrive()
    assert emails.replicator.apply([newest]).failed == 0
    assert emails.lookups == {"a": b"users:1"}
    emails.apply("1", "b")
    assert emails.lookups == {"b": b"users:1"}


def test_a_guard_that_is_no_version_is_left_to_a_person(emails: Emails) -> None:
    """Nothing that could be said of the item's lookup keys is known to be the newest."""
    emails.apply("1", "a")
    emails.give_up(emails.put("1", email="a", name="newest", age=2 * DAY))
    emails.cache.guards[guard_key("users:1")] = Version("a:b:c:d")
    report = emails.redrive()
    assert (report.failed, report.repaired, emails.lookups) == (1, 0, {"a": b"users:1"})


def test_a_dry_run_says_no_word(emails: Emails) -> None:
    """Nor does it count one."""
    emails.apply("1", "a")
    emails.give_up(emails.put("1", email="a", name="newest", age=2 * DAY))
    words = {guard: {**said} for guard, said in emails.cache.words.items()}
    assert emails.redrive(dry_run=True).repaired == 1  # the item's own key
    assert emails.cache.words == words
    assert emails.redrive().repaired == 1
    assert emails.cache.words != words


def test_an_old_record_takes_no_lookup_key_away_that_nobody_can_be_told_to_have(tmp_path: Path) -> None:
    """It holds the item, and its guard is lost: that the one who is named has it no more says nothing of another."""
    emails = Emails(tmp_path, "item")
    old = emails.put("1", email="a", age=2 * DAY)
    emails.apply("1", "b")
    emails.apply("2", "a")
    emails.cache.words.clear()
    right = emails.lookups
    assert sorted(right) == ["a", "b"]
    emails.give_up(old)
    refused = emails.redrive()
    assert (refused.failed, "does not tell its item" in refused.problems[0], emails.lookups) == (1, True, right)
    named = emails.put("2", email="a", more=1, age=2 * DAY)
    emails.give_up(old, named, name="001")
    assert (emails.redrive().failed, emails.lookups["a"]) == (0, emails.cache.values["users:2"])


@pytest.mark.servers
def test_on_a_server_lookup_keys_end_as_the_table_has_them(tmp_path: Path, redis_client: redis.Redis) -> None:
    """A value that two old records pass on, and a record that comes late: by the scripts themselves."""
    emails = Emails(tmp_path)
    emails.cache = cast("Any", redis_client)
    emails.replicator = Replicator(redis_client, emails.router)
    emails.apply("1", "a")
    emails.apply("3", "c")
    passed = [emails.put("1", email="b", age=2 * DAY), emails.put("2", email="a", age=2 * DAY)]
    late = emails.put("3", email="c", name="late", age=2 * DAY)
    emails.give_up(*passed, emails.put("3", email="c", name="newest", age=2 * DAY))
    report = emails.redrive()
    assert (report.read_again, report.failed) == (3, 0)
    assert emails.replicator.apply([late]).stale == 1
    assert redis_client.mget("by:a", "by:b", "by:c") == [b"users:2", b"users:1", b"users:3"]
    assert redis_client.get("users:3") == b'{"email":"c","id":"3","name":"newest"}'
