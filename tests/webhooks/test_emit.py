"""Emitting events: in the transaction of what happened, and only to subscribed endpoints."""

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


def emit_lead_event(
    workspace: Workspace, event: EventType = EventType.LEAD_CREATED, **data: Any
) -> None:
    emit(workspace_id=workspace.id, event=event, data=data or LEAD)


def events(workspace: Workspace) -> list[tuple[str, Any]]:
    return list(Event.objects.filter(workspace=workspace).values_list("type", "data"))


def test_emit_writes_delivery_for_each_subscribed_endpoint(team: Team) -> None:
    subscribed = {make_webhook_endpoint(team.workspace, "lead.created")[0].id for _ in range(2)}
    make_webhook_endpoint(team.workspace, "lead.updated", "credits.low")
    make_webhook_endpoint(team.other_workspace, "lead.created")
    emit_lead_event(team.workspace)
    assert events(team.workspace) == [("lead.created", LEAD)]
    deliveries = Delivery.objects.filter(workspace=team.workspace)
    assert {delivery.endpoint_id for delivery in deliveries} == subscribed
    assert [(d.status, d.attempts, is_id(d.id)) for d in deliveries] == [("pending", 0, True)] * 2
    assert events(team.other_workspace) == []


def test_emit_writes_nothing_without_subscriber(team: Team) -> None:
    make_webhook_endpoint(team.other_workspace)
    make_webhook_endpoint(team.workspace, "lead.updated")
    off, _ = make_webhook_endpoint(team.workspace)
    disable_endpoint(endpoint=off, reason=DisabledReason.OWNER)
    with CaptureQueriesContext(connection) as queries:
        emit_lead_event(team.workspace)
    assert (len(queries), events(team.workspace)) == (1, [])


def test_emit_costs_one_statement(team: Team) -> None:
    for _ in range(3):
        make_webhook_endpoint(team.workspace)
    with CaptureQueriesContext(connection) as queries:
        emit_lead_event(team.workspace)
    assert (len(queries), Delivery.objects.filter(workspace=team.workspace).count()) == (1, 3)


def test_event_is_rolled_back_with_its_transaction(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    with transaction.atomic():
        emit_lead_event(team.workspace)
        transaction.set_rollback(True)
    assert events(team.workspace) == []


def test_timestamps_in_data_are_utc(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    emit_lead_event(team.workspace, at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert events(team.workspace) == [("lead.created", {"at": "2026-01-02T03:04:05Z"})]


def test_enabled_endpoint_gets_only_later_events(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    for enabled in (False, True):
        update_endpoint(endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=enabled))
        emit_lead_event(team.workspace, enabled=enabled)
    assert events(team.workspace) == [("lead.created", {"enabled": True})]


def test_deleting_endpoint_deletes_its_deliveries(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    other, _ = make_webhook_endpoint(team.workspace)
    emit_lead_event(team.workspace)
    delete_endpoint(endpoint=endpoint, actor=SYSTEM)
    remaining = Delivery.objects.filter(workspace=team.workspace)
    assert [delivery.endpoint_id for delivery in remaining] == [other.id]


@pytest.mark.parametrize("column", ["event_id", "endpoint_id"])
def test_database_refuses_delivery_across_workspaces(team: Team, column: str) -> None:
    for workspace in (team.workspace, team.other_workspace):
        make_webhook_endpoint(workspace)
        emit_lead_event(workspace)
    mine, theirs = (
        Delivery.objects.get(workspace=workspace)
        for workspace in (team.workspace, team.other_workspace)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="same_workspace"), transaction.atomic():
        Delivery.objects.filter(id=mine.id).update(**{column: getattr(theirs, column)})


def test_database_refuses_unknown_event_type(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    emit_lead_event(team.workspace)
    with pytest.raises(IntegrityError, match="webhooks_event_type_known"), transaction.atomic():
        Event.objects.filter(workspace=team.workspace).update(type="lead.sung")


def test_deleting_endpoint_during_emit_deletes_delivery(
    live_team: Team,
) -> None:
    """The deletion waits for the event's transaction and deletes its delivery too."""
    endpoint, _ = make_webhook_endpoint(live_team.workspace)
    errors: list[Exception] = []

    def delete() -> None:
        try:
            delete_endpoint(endpoint=endpoint, actor=SYSTEM)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=delete)
    with transaction.atomic():
        emit_lead_event(live_team.workspace)
        thread.start()
        wait_until(is_waiting_for_lock)
    thread.join()
    assert errors == []
    assert Endpoint.objects.filter(workspace=live_team.workspace).count() == 0
    assert Delivery.objects.filter(workspace=live_team.workspace).count() == 0


def is_waiting_for_lock() -> bool:
    with connection.cursor() as cursor:
        # Within a transaction, statistics are a snapshot of the first read.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE '%webhooks_endpoint%')"
        )
        waiting: bool = cursor.fetchone()[0]
        return waiting


def test_services_refuse_a_deleted_endpoint(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    sent = send_test(endpoint=endpoint)
    delivery = Delivery.objects.select_related("endpoint").get(id=sent.id)
    Endpoint.objects.get(id=endpoint.id).delete()
    calls: list[Callable[[], object]] = [
        lambda: delete_endpoint(endpoint=endpoint, actor=SYSTEM),
        lambda: update_endpoint(
            endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(enabled=False)
        ),
        lambda: rotate_secret(endpoint=endpoint, actor=SYSTEM),
        lambda: send_test(endpoint=endpoint),
        lambda: resend(delivery=delivery),
    ]
    for call in calls:
        with pytest.raises(EndpointNotFound):
            call()
