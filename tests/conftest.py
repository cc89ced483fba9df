"""Fixtures for all tests: teams, a database with committed rows, and web processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import transaction
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from apps.workspaces.models import Letter
from tests.factories import Team, delete_webhook_endpoints, make_team
from tests.web_processes import WebProcess, start_web

StartWeb = Callable[..., WebProcess]

hypothesis.settings.register_profile("parley", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("parley")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Create the test database, for fixtures that commit and those that roll back."""
    with django_db_blocker.unblock():
        databases = setup_databases(0, False, aliases={"default"})  # type: ignore[arg-type]
        yield
        teardown_databases(databases, verbosity=0)


@pytest.fixture
def no_other_letters(request: pytest.FixtureRequest) -> None:
    """Delete letters that committed tests have left: workers send those of all workspaces."""
    request.getfixturevalue("committed" if "committed" in request.fixturenames else "db")
    Letter.objects.all().delete()


@pytest.fixture
def team(db: None) -> Team:
    """Alice, Bob and Charlie in a transaction that is rolled back."""
    return make_team()


@pytest.fixture(scope="session")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Allow commits. Rows stay in the database, so a test uses a workspace that it created."""
    from apps.infrastructure.postgres.threads import close_thread_pool

    with django_db_blocker.unblock():
        yield
        close_thread_pool()


@pytest.fixture(scope="module")
def module_transaction(committed: None) -> Iterator[None]:
    """A transaction that is rolled back after the module.

    For rows that take long to create and that several tests read. A test that also uses `db` may
    change them: its own changes are rolled back after it.
    """
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def module_team(module_transaction: None) -> Team:
    """Alice, Bob and Charlie in a transaction that is rolled back after the module."""
    return make_team()


@pytest.fixture
def live_team(committed: None) -> Iterator[Team]:
    """Alice, Bob and Charlie, committed, so that other processes see them."""
    team = make_team()
    yield team
    delete_webhook_endpoints(team)


@pytest.fixture(scope="session")
def web(committed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """A web process on a real socket and the test database. Shared by all tests: do not stop it."""
    with start_web(tmp_path_factory.mktemp("web")) as process:
        yield process


@pytest.fixture(scope="session")
def web_pair(
    web: WebProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[WebProcess, WebProcess]]:
    """The same web process and another one. Shared: do not stop them."""
    with start_web(tmp_path_factory.mktemp("web")) as another:
        yield web, another


@pytest.fixture
def own_web(committed: None, tmp_path: Path) -> Iterator[StartWeb]:
    """Start web processes that the test may stop, kill or configure by environment variables."""
    with ExitStack() as stack:

        def start(**environment: Any) -> WebProcess:
            return stack.enter_context(start_web(tmp_path, **environment))

        yield start
