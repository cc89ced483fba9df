"""Rows of every model for the tests of a module: each test changes them in a savepoint."""

from __future__ import annotations

import pytest

from tests.contracts.admin.admin_rows import AdminRows, make_known_rows


@pytest.fixture(scope="module")
def module_rows(module_transaction: None) -> AdminRows:
    """A row of every model, in a transaction that is rolled back after the module."""
    return make_known_rows()


@pytest.fixture
def rows(module_rows: AdminRows, db: None) -> AdminRows:
    """The rows of the module. What the test changes is rolled back after it."""
    return module_rows
