"""The outbox: written with what happened, or not at all, and only where somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.services import SYSTEM
from apps.core.ids import is_id
from apps.webhooks.errors import EndpointNotFound
from apps.webhooks.models import Delivery, DisabledReason, Endpoint, Event, EventType
from apps.webhooks.services import (
    EndpointChanges,
    delete_endpoint,
    disable_endpoint,
    emit,
    resend,
    rotate_secret,
    send_test,
    update_endpoint,
)
from apps.workspaces.models import Workspace
from tests.e2e.database_state import wait_until
from tests.factories import Team, make_webhook_endpoint

LEAD = {"leadId": "c1", "name": "Zoë “Z” O'Neil"}


def tell(workspace: Workspace, event: EventType = EventType.LEAD_CREATED, **data: Any) -> None:
    emit(workspace_id=workspace.id, event=event, data=data or LEAD)


def events(workspace: Workspace) -> list[tuple[str, Any]]:
    return list(Event.objects.filter(workspace=workspace).values_list("type", "data"))


def test_event_is_written_with_a_delivery_to_each_endpoint_that_wants_it(team: Team) -> None:
    wanted = {make_webhook_endpoint(team.workspace, "lead.created")[0].id for _ in range(2)}
    make_webhook_endpoint(team.workspace, "lead.updated", "credits.low")
    make_webhook_endpoint(team.other_workspace, "lead.created")
    tell(team.workspace)
    assert events(team.workspace) == [("lead.created", LEAD)]
    deliveries = Delivery.objects.filter(workspace=team.workspace)
    assert {delivery.endpoint_id for delivery in deliveries} == wanted
    assert [(d.status, d.attempts, is_id(d.id)) for d in deliveries] == [("pending", 0, True)] * 2
    assert events(team.other_workspace) == []


def test_nothing_is_written_where_nobody_wants_to_know(team: Team) -> None:
    make_webhook_endpoint(team.other_workspace)
    make_webhook_endpoint(team.workspace, "lead.updated")
    off, _ = make_webhook_endpoint(team.workspace)
    disable_endpoint(endpoint=off, reason=DisabledReason.OWNER)
    with CaptureQueriesContext(connection) as queries:
        tell(team.workspace)
    assert (len(queries), events(team.workspace)) == (1, [])


def test_one_statement_whatever_the_number_of_endpoints(team: Team) -> None:
    for _ in range(3):
        make_webhook_endpoint(team.workspace)
    with CaptureQueriesContext(connection) as queries:
        tell(team.workspace)
    assert (len(queries), Delivery.objects.filter(workspace=team.workspace).count()) == (1, 3)


def test_event_goes_with_the_transaction_that_it_tells_of(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    with transaction.atomic():
        tell(team.workspace)
        transaction.set_rollback(True)
    assert events(team.workspace) == []


def test_moments_in_the_data_are_told_in_utc(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    tell(team.workspace, at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert events(team.workspace) == [("lead.created", {"at": "2026-01-02T03:04:05Z"})]


def test_endpoint_that_is_switched_on_again_is_told_of_what_comes_then(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    for enabled in (False, True):
        update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=enabled))
        tell(team.workspace, enabled=enabled)
    assert events(team.workspace) == [("lead.created", {"enabled": True})]


def test_deleted_endpoint_takes_its_deliveries_with_it(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    kept, _ = make_webhook_endpoint(team.workspace)
    tell(team.workspace)
    delete_endpoint(endpoint=endpoint, actor=SYSTEM)
    remaining = Delivery.objects.filter(workspace=team.workspace)
    assert [delivery.endpoint_id for delivery in remaining] == [kept.id]


@pytest.mark.parametrize("column", ["event_id", "endpoint_id"])
def test_database_refuses_a_delivery_of_another_workspaces_rows(team: Team, column: str) -> None:
    for workspace in (team.workspace, team.other_workspace):
        make_webhook_endpoint(workspace)
        tell(workspace)
    mine, theirs = (
        Delivery.objects.get(workspace=workspace)
        for workspace in (team.workspace, team.other_workspace)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="same_workspace"), transaction.atomic():
        Delivery.objects.filter(id=mine.id).update(**{column: getattr(theirs, column)})


def test_event_of_a_type_that_is_not_known_is_refused(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    tell(team.workspace)
    with pytest.raises(IntegrityError, match="webhooks_event_type_known"), transaction.atomic():
        Event.objects.filter(workspace=team.workspace).update(type="lead.sung")


def test_event_of_the_moment_in_which_its_endpoint_is_deleted_harms_nobody(
    live_team: Team,
) -> None:
    """The one who deletes waits for the event's transaction, and takes its delivery too."""
    endpoint, _ = make_webhook_endpoint(live_team.workspace)
    problems: list[Exception] = []

    def delete() -> None:
        try:
            delete_endpoint(endpoint=endpoint, actor=SYSTEM)
        except Exception as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    thread = Thread(target=delete)
    with transaction.atomic():
        tell(live_team.workspace)
        thread.start()
        wait_until(someone_waits_for_a_lock)
    thread.join()
    assert problems == []
    assert Endpoint.objects.filter(workspace=live_team.workspace).count() == 0
    assert Delivery.objects.filter(workspace=live_team.workspace).count() == 0


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL answers from what it saw at the first look.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE '%webhooks_endpoint%')"
        )
        waits: bool = cursor.fetchone()[0]
        return waits


def test_deleted_endpoint_is_not_found_by_who_had_it_in_hand(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    sent = send_test(endpoint=endpoint)
    delivery = Delivery.objects.select_related("endpoint").get(id=sent.id)
    Endpoint.objects.get(id=endpoint.id).delete()
    asked: list[Callable[[], object]] = [
        lambda: delete_endpoint(endpoint=endpoint, actor=SYSTEM),
        lambda: update_endpoint(
            endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=False)
        ),
        lambda: rotate_secret(endpoint=endpoint, actor=SYSTEM),
        lambda: send_test(endpoint=endpoint),
        lambda: resend(delivery=delivery),
    ]
    for ask in asked:
        with pytest.raises(EndpointNotFound):
            ask()
