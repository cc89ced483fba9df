"""Limits for the tests of adjustments."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from tests.adjustments.adjustment_factories import client_for, make_staff


@pytest.fixture
def limits(settings: Settings) -> None:
    settings.GOODWILL_LIMIT = 50
    settings.APPROVAL_ABOVE = 1000


@pytest.fixture
def finance(db: None) -> Client:
    return client_for(make_staff("finance"))
