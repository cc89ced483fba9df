from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key, revoke_key, update_last_used
from apps.webhooks.models import Event
from tests.factories import Team, make_webhook_endpoint


def last_used_at(key: ApiKey) -> datetime | None:
    return ApiKey.objects.values_list("last_used_at", flat=True).get(pk=key.pk)


def test_secret_is_prefix_and_51_base62_characters(team: Team) -> None:
    secrets = {issue_key(workspace=team.workspace, name="n")[1] for _ in range(20)}
    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {64}
    assert all(re.fullmatch(r"sk-workspace_[0-9A-Za-z]{51}", secret) for secret in secrets)


def test_row_stores_digest_not_secret(team: Team) -> None:
    key, secret = issue_key(workspace=team.workspace, name="n")
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text, digest FROM api_keys_apikey k WHERE id = %s", [key.id])
        row, digest = cursor.fetchone()
    assert digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.removeprefix("sk-workspace_")[4:-4] not in row


def test_shown_is_beginning_and_last_four_characters(team: Team) -> None:
    key, secret = issue_key(workspace=team.workspace, name="n")
    assert key.shown == f"{secret[:17]}…{secret[-4:]}"
    assert str(key) == f"n ({key.shown})"


def test_default_scope_is_chat(team: Team) -> None:
    assert issue_key(workspace=team.workspace, name="n")[0].scopes == ["chat"]


def test_duplicate_scopes_are_removed(team: Team) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n", scopes=["read", "chat", "read"])
    assert key.scopes == ["read", "chat"]


@pytest.mark.parametrize("scopes", [[], [""], ["chat", "fly"], ["CHAT"], ["chat "]])
def test_unknown_scopes_are_refused(team: Team, scopes: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        issue_key(workspace=team.workspace, name="n", scopes=scopes)
    assert list(caught.value.message_dict) == ["scopes"]
    assert ApiKey.objects.filter(workspace=team.workspace).count() == 0


@pytest.mark.parametrize("name", ["", "n" * 121])
def test_invalid_name_is_refused(team: Team, name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        issue_key(workspace=team.workspace, name=name)
    assert list(caught.value.message_dict) == ["name"]


def test_expiry_in_the_past_is_refused(team: Team) -> None:
    with pytest.raises(ValidationError, match="passed already"):
        issue_key(workspace=team.workspace, name="n", expires_at=timezone.now())
    assert ApiKey.objects.filter(workspace=team.workspace).count() == 0


@pytest.mark.parametrize("scopes", ["{}", "{chat,fly}"])
def test_database_refuses_unknown_scopes(team: Team, scopes: str) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    with (
        pytest.raises(IntegrityError, match="api_keys_scopes_known"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE api_keys_apikey SET scopes = %s WHERE id = %s", [scopes, key.id])


def test_revoking_again_keeps_first_time(team: Team) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    first = revoke_key(key=key).revoked_at
    assert first is not None
    assert revoke_key(key=key).revoked_at == first


def test_revoking_affects_one_key(team: Team) -> None:
    keys = [issue_key(workspace=w, name="n")[0] for w in (team.workspace, team.other_workspace)]
    revoke_key(key=keys[0])
    assert [ApiKey.objects.get(pk=key.pk).revoked_at is None for key in keys] == [False, True]


def test_update_last_used_writes_first_use(team: Team) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    other, _ = issue_key(workspace=team.workspace, name="other")
    before = timezone.now()
    update_last_used(api_key_id=key.id)
    used = last_used_at(key)
    assert used is not None
    assert before <= used <= timezone.now()
    assert last_used_at(other) is None


@pytest.mark.parametrize(("seconds", "written"), [(0, False), (55, False), (61, True)])
def test_update_last_used_writes_once_a_minute(team: Team, seconds: int, written: bool) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    earlier = timezone.now() - timedelta(seconds=seconds)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=earlier)
    update_last_used(api_key_id=key.id)
    assert (last_used_at(key) != earlier) is written


def test_events_contain_no_secret(team: Team) -> None:
    make_webhook_endpoint(team.workspace)
    later = datetime(2999, 1, 2, tzinfo=UTC)
    key, secret = issue_key(workspace=team.workspace, name="CI", expires_at=later)
    revoke_key(key=key)
    revoke_key(key=key)
    events = list(Event.objects.filter(workspace=team.workspace).order_by("created_at"))
    shown = {"apiKeyId": key.id, "name": "CI", "shown": key.shown}
    assert key.revoked_at is not None
    revoked_at = f"{key.revoked_at.isoformat(timespec='milliseconds')[:-6]}Z"
    assert [(event.type, event.data) for event in events] == [
        ("api_key.created", shown | {"scopes": ["chat"], "expiresAt": "2999-01-02T00:00:00Z"}),
        ("api_key.revoked", shown | {"revokedAt": revoked_at}),
    ]
    assert secret[17:-4] not in str([event.data for event in events])
