"""Limits for the tests of adjustments."""

from __future__ import annotations

import pytest
from pytest_django import Settings


@pytest.fixture
def limits(settings: Settings) -> None:
    settings.GOODWILL_LIMIT = 50
    settings.APPROVAL_ABOVE = 1000
