"""Tests that share something dear run in one worker of pytest-xdist."""

import os

import pytest


@pytest.mark.xdist_group("grouped")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there are no workers")
def test_a_group_is_known_to_the_scheduler(request: pytest.FixtureRequest) -> None:
    """It goes by the end of a test's id."""
    assert request.node.nodeid.endswith("@grouped")
