"""Creating, updating and disabling endpoints, their secrets, and the audit log."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.audit.queries import entries_for
from apps.audit.services import SYSTEM, Actor, user_actor
from apps.core.errors import ValidationFailed
from apps.webhooks.errors import EndpointDisabled, SecretNotDecryptable, TooManyEndpoints
from apps.webhooks.models import Delivery, DisabledReason, Endpoint, Event, EventType
from apps.webhooks.services import (
    MAX_ENDPOINTS,
    EndpointChanges,
    create_endpoint,
    delete_endpoint,
    disable_endpoint,
    emit,
    resend,
    rotate_secret,
    send_test,
    update_endpoint,
)
from apps.webhooks.signing import decrypt_secret, encrypt_secret
from tests.factories import UNREACHABLE_URL, Team, make_webhook_endpoint


def change(endpoint: Endpoint, actor: Actor = SYSTEM, **changes: Any) -> Endpoint:
    return update_endpoint(endpoint=endpoint, actor=actor, changes=EndpointChanges(**changes))


def audited(team: Team) -> list[tuple[str, dict[str, Any]]]:
    """The audit entries of endpoints, oldest first."""
    entries = entries_for(team.workspace.id).filter(action__startswith="webhook_endpoint.")
    return [(entry.action.split(".")[1], entry.details) for entry in reversed(entries)]


def test_create_endpoint_stores_encrypted_secret(team: Team) -> None:
    endpoint, secret = make_webhook_endpoint(team.workspace, "lead.created", description="CRM")
    assert (endpoint.url, endpoint.description, endpoint.is_enabled) == (
        UNREACHABLE_URL,
        "CRM",
        True,
    )
    assert decrypt_secret(endpoint.sealed_secret) == secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT e::text FROM webhooks_endpoint e WHERE id = %s", [endpoint.id])
        assert secret.removeprefix("whsec_") not in cursor.fetchone()[0]


def test_secret_encrypted_under_former_key_is_decrypted(settings: Settings) -> None:
    sealed, former = encrypt_secret("whsec_x"), settings.SECRET_KEY
    settings.SECRET_KEY = "another-" * 8
    with pytest.raises(SecretNotDecryptable):
        decrypt_secret(sealed)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert decrypt_secret(sealed) == "whsec_x"


def test_encrypt_secret_is_not_deterministic() -> None:
    assert encrypt_secret("whsec_x") != encrypt_secret("whsec_x")


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"url": "https://127.1/"}, {"url": ["Write an IPv4 address as four decimal numbers."]}),
        ({"url": "https://a.b/" + "c" * 2000}, {"url": ["Give at most 2,000 characters."]}),
        ({"event_types": []}, {"eventTypes": ["Choose at least one type of event."]}),
        ({"description": "d" * 201}, {"description": ["Give at most 200 characters, and no NUL."]}),
        ({"description": "a\x00"}, {"description": ["Give at most 200 characters, and no NUL."]}),
    ],
)
def test_invalid_fields_are_refused(
    team: Team, given: dict[str, Any], details: dict[str, Any]
) -> None:
    fields = {"url": "https://hooks.example.com/", "event_types": ["lead.created"]} | given
    with pytest.raises(ValidationFailed) as new:
        create_endpoint(workspace_id=team.workspace.id, actor=SYSTEM, **fields)
    endpoint, _ = make_webhook_endpoint(team.workspace)
    with pytest.raises(ValidationFailed) as old:
        change(endpoint, **given)
    assert (new.value.details, old.value.details) == (details, details)
    assert [action for action, _ in audited(team)] == ["created"]


@pytest.mark.parametrize("name", ["webhook.test", "lead.sung", ""])
def test_unknown_event_type_is_refused(team: Team, name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        make_webhook_endpoint(team.workspace, "lead.created", name)
    assert refused.value.details["eventTypes"][0].startswith(f"“{name}” is not a type of event.")


def test_private_address_is_refused(team: Team, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(ValidationFailed) as refused:
        make_webhook_endpoint(team.workspace, url="https://169.254.169.254/latest/meta-data")
    assert refused.value.details == {"url": ["This address is not on the public internet."]}


def test_number_of_endpoints_is_limited(team: Team) -> None:
    for _ in range(MAX_ENDPOINTS):
        make_webhook_endpoint(team.workspace)
    with pytest.raises(TooManyEndpoints, match="at most 20 webhook endpoints"):
        make_webhook_endpoint(team.workspace)
    make_webhook_endpoint(team.other_workspace)


def test_concurrent_creates_respect_the_limit(live_team: Team) -> None:
    for _ in range(MAX_ENDPOINTS - 1):
        make_webhook_endpoint(live_team.workspace)
    barrier, refused = Barrier(4), []

    def make() -> None:
        barrier.wait()
        try:
            make_webhook_endpoint(live_team.workspace)
        except TooManyEndpoints as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = Endpoint.objects.filter(workspace=live_team.workspace).count()
    assert (made, len(refused)) == (MAX_ENDPOINTS, 3)


def test_update_endpoint_changes_only_given_fields(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace, "lead.created", description="CRM")
    Endpoint.objects.filter(id=endpoint.id).update(failing_since=timezone.now())
    same = change(endpoint, description="ERP")
    assert (same.url, same.event_types, same.description) == (
        UNREACHABLE_URL,
        ["lead.created"],
        "ERP",
    )
    assert same.failing_since is not None
    other = change(endpoint, url="http://127.0.0.1:10/", event_types=["lead.updated"] * 2)
    assert (other.url, other.event_types) == ("http://127.0.0.1:10/", ["lead.updated"])
    assert other.failing_since is None


def test_changes_are_audited_without_secrets(team: Team) -> None:
    alice = user_actor(team.alice)
    endpoint, first = create_endpoint(
        workspace_id=team.workspace.id,
        actor=alice,
        url=f"{UNREACHABLE_URL}?token=hush",
        event_types=["lead.created"],
    )
    change(endpoint, alice, description="CRM")
    change(endpoint, alice, enabled=False)
    change(endpoint, alice, enabled=False)
    change(endpoint, alice, enabled=True)
    change(endpoint, alice)
    _, second = rotate_secret(endpoint=endpoint, actor=alice)
    delete_endpoint(endpoint=endpoint, actor=alice)
    assert audited(team) == [
        ("created", {"eventTypes": ["lead.created"]}),
        ("updated", {"changed": ["description"]}),
        ("disabled", {"reason": "owner"}),
        ("enabled", {}),
        ("secret_rotated", {}),
        ("deleted", {}),
    ]
    entries = list(entries_for(team.workspace.id))
    assert {entry.actor_label for entry in entries} == {team.alice.email}
    assert {entry.target_label for entry in entries} == {"http://127.0.0.1:9"}
    rows = str([list(vars(entry).values()) for entry in entries])
    assert [secret for secret in (first, second, "hush") if secret in rows] == []


def secrets_of(endpoint: Endpoint) -> tuple[str, str]:
    return decrypt_secret(endpoint.sealed_secret), decrypt_secret(endpoint.sealed_previous_secret)


def test_rotation_keeps_old_secret_for_a_day(team: Team) -> None:
    endpoint, first = make_webhook_endpoint(team.workspace)
    rotated, second = rotate_secret(endpoint=endpoint, actor=SYSTEM)
    assert secrets_of(rotated) == (second, first)
    ends = rotated.previous_secret_expires_at
    assert ends is not None
    assert timedelta(hours=23) < ends - timezone.now() <= timedelta(hours=24)
    again, third = rotate_secret(endpoint=endpoint, actor=SYSTEM)
    assert secrets_of(again) == (third, second)


def test_deliveries_wait_while_endpoint_is_disabled(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    emit(workspace_id=team.workspace.id, event=EventType.LEAD_CREATED, data={})
    waiting = Delivery.objects.filter(workspace=team.workspace).values_list("next_attempt_at")
    assert disable_endpoint(endpoint=endpoint, reason=DisabledReason.OWNER) is True
    assert disable_endpoint(endpoint=endpoint, reason=DisabledReason.GONE) is False
    assert waiting.get() == (None,)
    change(endpoint, enabled=True)
    (due,) = waiting.get()
    assert due is not None
    assert due <= timezone.now()


def test_send_test_goes_to_one_endpoint(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    make_webhook_endpoint(team.workspace)
    delivery = send_test(endpoint=endpoint)
    event = Event.objects.get(workspace=team.workspace)
    assert (event.type, event.data) == ("webhook.test", {"endpointId": endpoint.id})
    assert (delivery.event_id, delivery.endpoint_id) == (event.id, endpoint.id)
    assert Delivery.objects.filter(workspace=team.workspace).count() == 1


def test_disabled_endpoint_refuses_test_and_resend(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    delivery = send_test(endpoint=endpoint)
    off = change(endpoint, enabled=False)
    delivery.refresh_from_db()
    with pytest.raises(EndpointDisabled):
        send_test(endpoint=off)
    with pytest.raises(EndpointDisabled):
        resend(delivery=Delivery.objects.select_related("endpoint").get(id=delivery.id))
    assert Event.objects.filter(workspace=team.workspace).count() == 1


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("webhooks_endpoint_types_known", {"event_types": []}),
        ("webhooks_endpoint_types_known", {"event_types": ["lead.sung"]}),
        ("webhooks_endpoint_off_for_a_reason", {"disabled_at": timezone.now()}),
        ("webhooks_endpoint_off_for_a_reason", {"disabled_reason": "gone"}),
        ("webhooks_endpoint_old_secret_ends", {"sealed_previous_secret": "x"}),
    ],
)
def test_database_refuses_inconsistent_endpoint(
    team: Team, constraint: str, fields: dict[str, Any]
) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Endpoint.objects.filter(id=endpoint.id).update(**fields)
