"""The cache's users may do what docs/how-to/permissions.md says that each needs, and no more.

There, a test applies changes on servers with each of those lines, and shows that nothing in them can be left out.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from deployment.cache.access import DRIFT_PREFIX, USERS, User, access_string
from deployment.options import Options
from tests.templates import INFRA, Template

PAGE = (INFRA.parent / "docs/how-to/permissions.md").read_text("utf-8")
CLIENTS = {"+ping", "+readonly", "+cluster|nodes", "+cluster|shards"}  # not all readers are redis-py
CLUSTER = {"+cluster|slots", "+command"}


def block(name: str) -> set[str]:
    """The words of an access string on the page."""
    found = re.search(rf"<!-- acl: {name} -->\n```text\n(.*?)\n```", PAGE)
    assert found is not None
    return set(found[1].split())


def more(name: str) -> set[str]:
    """The words that a row of its table adds."""
    found = re.search(rf"<!-- acl: {name} -->[^|]*\| `([^`]*)`", PAGE)
    assert found is not None
    return set(found[1].split())


def words(user: User, **options: Any) -> set[str]:
    """What a user may do, without the word that switches it on."""
    return set(access_string(user, Options(**options)).split()) - {"on"}


def test_the_page_still_says_what_a_cluster_takes() -> None:
    assert block("cluster") == CLUSTER


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("applier", block("apply")),
        ("filler", block("fill")),
        ("verifier", block("verify") | {f"~{DRIFT_PREFIX}*"}),
        ("redriver", block("apply") | block("repair")),
        ("reader", block("plain reader") | CLIENTS),
    ],
)
def test_each_user_may_do_what_the_page_says(user: User, expected: set[str]) -> None:
    assert words(user) == expected | CLUSTER


def test_what_is_configured_takes_the_commands_that_the_page_adds_for_it() -> None:
    assert words("applier", encoding="hash") == words("applier") | more("hash")
    assert words("filler", encoding="hash") == words("filler") | more("hash")
    assert words("applier", ttl_attribute="expiresAt") == words("applier") | more("expiry")
    assert words("filler", value_ttl_seconds=60) == words("filler") | more("expiry")
    assert words("applier", encoding="hash", mode="refresh") == words("applier") | more("refresh") | more("hash")
    assert words("reader", encoding="hash") == (words("reader") - {"+get"}) | {"+hgetall"}
    assert words("verifier", encoding="hash") == words("verifier") | {"+hgetall"}
    assert words("redriver", encoding="hash") == words("redriver") | more("hash") | {"+hgetall"}


def test_the_template_gives_each_user_its_string(template: Template) -> None:
    strings = [user["AccessString"] for user in template.of_type("ElastiCache::User").values()]
    assert sorted(strings) == sorted(access_string(user, Options()) for user in USERS)
