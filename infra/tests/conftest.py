"""Fixtures the tests share."""

from __future__ import annotations

import pytest

from tests.templates import Template, synthesised


@pytest.fixture(scope="session")
def template() -> Template:
    """Give the template of the defaults."""
    return synthesised()
