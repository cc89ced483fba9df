"""The REST operations for webhook endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pytest_django import Settings

from apps.api_keys.models import ApiKey
from apps.audit.queries import entries_for
from apps.core.ids import new_id
from apps.webhooks.delivery import deliver_due
from apps.webhooks.models import SUBSCRIBABLE_EVENT_TYPES, Delivery, Endpoint, EventType
from apps.webhooks.schemas import SubscribableEventType
from apps.webhooks.services import emit
from tests.api_kit.rest_client import Api
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint
from tests.webhook_receiver import Receiver, Reply

URL = "https://hooks.example.com/parley?token=t"


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def delivery(team: Team) -> Delivery:
    """A delivery without an attempt."""
    make_webhook_endpoint(team.workspace)
    data = {"leadId": "c1", "name": "Zoë"}
    emit(workspace_id=team.workspace.id, event=EventType.LEAD_CREATED, data=data)
    return Delivery.objects.get(workspace=team.workspace)


def test_endpoint_create_read_update_delete(api: Api, team: Team) -> None:
    body = {"url": URL, "eventTypes": ["lead.created", "lead.updated"], "description": "CRM"}
    made = api("POST", "/webhook-endpoints", body, status=201)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    row = Endpoint.objects.get(workspace=team.workspace)
    assert made == {
        "id": row.id,
        "url": URL,
        "description": "CRM",
        "eventTypes": ["lead.created", "lead.updated"],
        "enabled": True,
        "disabledAt": None,
        "disabledReason": None,
        "failingSince": None,
        "previousSecretExpiresAt": None,
        "createdAt": made["createdAt"],
    }
    path = f"/webhook-endpoints/{row.id}"
    assert api("GET", path) == made
    changed = api("PATCH", path, {"eventTypes": ["credits.low"], "description": None})
    assert changed == made | {"eventTypes": ["credits.low"]}
    off = api("PATCH", path, {"enabled": False})
    assert (off["enabled"], off["disabledReason"]) == (False, "owner")
    assert api("PATCH", path, {"enabled": True}) == changed
    assert api("DELETE", path) == {"id": row.id, "deleted": True}
    assert api("GET", path, status=404)["code"] == "WEBHOOK_ENDPOINT_NOT_FOUND"


def test_secret_is_shown_only_when_created(api: Api, team: Team) -> None:
    body = {"url": URL, "eventTypes": ["lead.created"]}
    made = api("POST", "/webhook-endpoints", body, status=201)
    path = f"/webhook-endpoints/{made['id']}"
    rotated = api("POST", f"{path}/rotate-secret")
    assert rotated["secret"] != made["secret"]
    assert rotated["previousSecretExpiresAt"] is not None
    later = str([api("GET", path), api("GET", "/webhook-endpoints")])
    assert [s for s in (made["secret"], rotated["secret"], "secret'") if s in later] == []


def test_changes_are_audited_with_the_acting_key(api: Api, team: Team) -> None:
    api("POST", "/webhook-endpoints", {"url": URL, "eventTypes": ["lead.created"]}, status=201)
    key = ApiKey.objects.get(workspace=team.workspace)
    entry = entries_for(team.workspace.id)[0]
    assert (entry.action, entry.actor_kind, entry.actor_id, entry.actor_label) == (
        "webhook_endpoint.created",
        "api_key",
        key.id,
        str(key),
    )
    assert entry.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://127.1/"}, "url"),
        ({"url": "https://user@hooks.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/\x00"}, "url"),
        ({"url": "https://\ud800/"}, "url"),
        ({"url": "u" * 2001}, "url"),
        ({"url": 5}, "url"),
        ({"eventTypes": []}, "eventTypes"),
        ({"eventTypes": ["lead.sung"]}, "eventTypes.0"),
        ({"eventTypes": ["webhook.test"]}, "eventTypes.0"),
        ({"eventTypes": "lead.created"}, "eventTypes"),
        ({"description": "d" * 201}, "description"),
        ({"description": "\x00"}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_invalid_field_is_named(api: Api, team: Team, change: dict[str, Any], field: str) -> None:
    body = {"url": URL, "eventTypes": ["lead.created"]} | change
    refusals = [api("POST", "/webhook-endpoints", body, status=400)]
    endpoint, _ = make_webhook_endpoint(team.workspace)
    refusals.append(api("PATCH", f"/webhook-endpoints/{endpoint.id}", change, status=400))
    assert [(r["code"], list(r["details"])) for r in refusals] == [
        ("VALIDATION_ERROR", [field])
    ] * 2
    assert Endpoint.objects.filter(workspace=team.workspace).count() == 1


def test_private_address_is_refused(api: Api, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    body = {"url": "https://169.254.169.254/", "eventTypes": ["lead.created"]}
    refused = api("POST", "/webhook-endpoints", body, status=400)
    assert refused["details"] == {"url": ["This address is not on the public internet."]}


def test_schema_has_the_models_event_types() -> None:
    assert list(get_args(SubscribableEventType)) == SUBSCRIBABLE_EVENT_TYPES


def test_endpoints_are_paginated_newest_first(api: Api, team: Team) -> None:
    ids = [make_webhook_endpoint(team.workspace)[0].id for _ in range(3)]
    make_webhook_endpoint(team.other_workspace)
    first = api("GET", "/webhook-endpoints?limit=2")
    second = api("GET", f"/webhook-endpoints?limit=2&cursor={first['nextCursor']}")
    pages = [[row["id"] for row in page["webhookEndpoints"]] for page in (first, second)]
    assert (pages, second["nextCursor"]) == ([[ids[2], ids[1]], [ids[0]]], None)


def test_deliveries_can_be_filtered_by_status(api: Api, team: Team, delivery: Delivery) -> None:
    path = f"/webhook-endpoints/{delivery.endpoint_id}/deliveries"
    emit(workspace_id=team.workspace.id, event=EventType.LEAD_UPDATED, data={})
    Delivery.objects.filter(id=delivery.id).update(status="failed", next_attempt_at=None)
    assert [row["eventType"] for row in api("GET", path)["deliveries"]] == [
        "lead.updated",
        "lead.created",
    ]
    page = api("GET", f"{path}?limit=1")
    rest = api("GET", f"{path}?limit=1&cursor={page['nextCursor']}")
    failed = api("GET", f"{path}?status=failed")
    assert [[row["id"] for row in each["deliveries"]] for each in (rest, failed)] == [
        [delivery.id]
    ] * 2
    assert api("GET", f"{path}?status=lost", status=400)["code"] == "VALIDATION_ERROR"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(lambda _: Reply(500, b"oh dear")) as started:
        yield started


def test_delivery_shows_request_and_response(
    api: Api, delivery: Delivery, receiver: Receiver
) -> None:
    Delivery.objects.exclude(id=delivery.id).delete()
    path = f"/webhook-deliveries/{delivery.id}"
    before = api("GET", path)
    assert (before["status"], before["request"]["headers"], before["response"]) == (
        "pending",
        {},
        None,
    )
    Endpoint.objects.filter(id=delivery.endpoint_id).update(url=receiver.url)
    deliver_due(seconds=0)
    after = api("GET", path)
    (received,) = receiver.received
    assert after["response"] == {"status": 500, "body": "oh dear"}
    assert after["request"]["body"].encode() == received.body
    assert after["request"]["headers"].items() <= dict(received.headers).items()
    shown = {name: after[name] for name in after.keys() - {"request", "response"}}
    assert shown == {
        "id": delivery.id,
        "endpointId": delivery.endpoint_id,
        "eventId": delivery.event_id,
        "eventType": "lead.created",
        "status": "pending",
        "attempts": 1,
        "nextAttemptAt": after["nextAttemptAt"],
        "lastAttemptAt": after["lastAttemptAt"],
        "durationMs": after["durationMs"],
        "responseStatus": 500,
        "error": None,
        "createdAt": before["createdAt"],
    }


def test_send_test_and_resend(api: Api, team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    path = f"/webhook-endpoints/{endpoint.id}"
    sent = api("POST", f"{path}/test", status=202)
    assert (sent["eventType"], sent["status"], sent["attempts"]) == ("webhook.test", "pending", 0)
    Delivery.objects.filter(id=sent["id"]).update(
        status="failed", next_attempt_at=None, attempts=10
    )
    again = api("POST", f"/webhook-deliveries/{sent['id']}/resend", status=202)
    assert (again["id"], again["status"], again["attempts"]) == (sent["id"], "pending", 0)
    api("PATCH", path, {"enabled": False})
    for refused in (f"{path}/test", f"/webhook-deliveries/{sent['id']}/resend"):
        assert api("POST", refused, status=409)["code"] == "WEBHOOK_ENDPOINT_DISABLED"


def test_number_of_endpoints_is_limited(api: Api, team: Team) -> None:
    for _ in range(20):
        make_webhook_endpoint(team.workspace)
    body = {"url": URL, "eventTypes": ["lead.created"]}
    refused = api("POST", "/webhook-endpoints", body, status=409)
    assert refused["code"] == "TOO_MANY_WEBHOOK_ENDPOINTS"


OPERATIONS: list[tuple[str, Callable[[str, str], str], Any]] = [
    ("GET", lambda endpoint, _: f"/webhook-endpoints/{endpoint}", None),
    ("PATCH", lambda endpoint, _: f"/webhook-endpoints/{endpoint}", {"enabled": False}),
    ("DELETE", lambda endpoint, _: f"/webhook-endpoints/{endpoint}", None),
    ("POST", lambda endpoint, _: f"/webhook-endpoints/{endpoint}/rotate-secret", None),
    ("POST", lambda endpoint, _: f"/webhook-endpoints/{endpoint}/test", None),
    ("GET", lambda endpoint, _: f"/webhook-endpoints/{endpoint}/deliveries", None),
    ("GET", lambda _, delivery: f"/webhook-deliveries/{delivery}", None),
    ("POST", lambda _, delivery: f"/webhook-deliveries/{delivery}/resend", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_absent_and_foreign_rows_get_the_same_error(
    team: Team, delivery: Delivery, method: str, path: Callable[[str, str], str], body: Any
) -> None:
    charlie = Api(team.other_workspace)
    ids = [(delivery.endpoint_id, delivery.id), *((x, x) for x in (new_id(), "x", "%00", "é"))]
    errors = [charlie(method, path(*pair), body, status=404) for pair in ids]
    assert [error == errors[0] for error in errors] == [True] * 5
    assert Endpoint.objects.get(id=delivery.endpoint_id).is_enabled
    assert Endpoint.objects.get(id=delivery.endpoint_id).url == UNREACHABLE_URL


def test_keys_without_scope_are_refused(team: Team, delivery: Delivery) -> None:
    api = Api(team.workspace, "read")
    pair = delivery.endpoint_id, delivery.id
    for method, path, body in OPERATIONS:
        if method == "GET":
            api(method, path(*pair), body)
        else:
            assert api(method, path(*pair), body, status=403)["code"] == "SCOPE_MISSING"
    chat = Api(team.workspace, "chat")
    codes = {
        chat(method, path(*pair), body, status=403)["code"] for method, path, body in OPERATIONS
    }
    assert codes == {"SCOPE_MISSING"}
