"""The REST operations for API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import authenticate_key
from apps.api_keys.services import issue_key
from apps.audit.models import AuditEntry
from tests.api_kit.rest_client import Api
from tests.factories import Team

ALL = ("chat", "read", "manage")


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace, *ALL)


def own_id(api: Api) -> str:
    """The id of the key that the client uses."""
    return authenticate_key(api.key).api_key_id


def create(api: Api, **fields: Any) -> dict[str, Any]:
    return api("POST", "/api-keys", {"name": "CI", "scopes": ["read"], **fields}, status=201)


def test_create_returns_working_key_once(team: Team, api: Api) -> None:
    later = datetime(2099, 1, 1, tzinfo=UTC)
    made = create(api, scopes=["read", "chat"], rateLimitPerHour=7, expiresAt=later.isoformat())
    secret = made.pop("secret")
    caller = authenticate_key(secret)
    assert (caller.workspace_id, caller.scopes) == (team.workspace.id, frozenset({"read", "chat"}))
    assert made == {
        "id": caller.api_key_id,
        "name": "CI",
        "shown": f"{secret[:17]}…{secret[-4:]}",
        "scopes": ["read", "chat"],
        "rateLimitPerHour": 7,
        "expiresAt": "2099-01-01T00:00:00Z",
        "revokedAt": None,
        "lastUsedAt": None,
        "createdAt": made["createdAt"],
    }
    assert api("GET", f"/api-keys/{made['id']}") == made
    used = Api(team.workspace, key=secret).send("GET", "/credits")
    assert (used.status_code, used["X-RateLimit-Limit"]) == (200, "7")


def test_list_is_paginated_newest_first(team: Team, api: Api) -> None:
    made = [create(api)["id"] for _ in range(2)]
    issue_key(workspace=team.other_workspace, name="n")
    first = api("GET", "/api-keys", limit=2)
    second = api("GET", "/api-keys", limit=2, cursor=first["nextCursor"])
    listed = [key["id"] for key in first["apiKeys"] + second["apiKeys"]]
    assert (sorted(listed), second["nextCursor"]) == (sorted([own_id(api), *made]), None)


@pytest.mark.parametrize("held", [("manage",), ("manage", "read")])
def test_key_cannot_grant_scopes_it_lacks(team: Team, held: tuple[str, ...]) -> None:
    small, full = Api(team.workspace, *held), Api(team.workspace, *ALL)
    before = ApiKey.objects.count()
    body = {"name": "More", "scopes": [*held, "chat"]}
    refused = [
        small("POST", "/api-keys", body, status=403),
        small("POST", f"/api-keys/{own_id(full)}/rotate", {}, status=403),
    ]
    assert [each["code"] for each in refused] == ["SCOPE_MISSING"] * 2
    assert ApiKey.objects.count() == before
    assert create(small, scopes=list(held))["scopes"] == list(held)


def test_rotated_key_works_during_grace_period(team: Team, api: Api) -> None:
    old = create(api, scopes=["read", "chat"], rateLimitPerHour=9)
    began = timezone.now()
    new = api("POST", f"/api-keys/{old['id']}/rotate", {"graceSeconds": 600}, status=201)
    same = ("name", "scopes", "rateLimitPerHour", "expiresAt")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert new["id"] != old["id"]
    assert {authenticate_key(each["secret"]).api_key_id for each in (old, new)} == {
        old["id"],
        new["id"],
    }
    ends = ApiKey.objects.get(id=old["id"]).expires_at
    assert ends is not None
    assert began + timedelta(minutes=10) <= ends <= timezone.now() + timedelta(minutes=10)


def test_rotation_never_extends_expiry(team: Team, api: Api) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    old = create(api, expiresAt=soon.isoformat())
    new = api("POST", f"/api-keys/{old['id']}/rotate", {}, status=201)
    both = ApiKey.objects.filter(id__in=[old["id"], new["id"]])
    assert [key.expires_at for key in both] == [soon, soon]


def test_rotation_without_grace_ends_key(api: Api) -> None:
    old = create(api)
    api("POST", f"/api-keys/{old['id']}/rotate", {"graceSeconds": 0}, status=201)
    with pytest.raises(InvalidApiKey):
        authenticate_key(old["secret"])
    refused = api("POST", f"/api-keys/{old['id']}/rotate", {}, status=409)
    assert refused["code"] == "API_KEY_ENDED"


def test_revoked_key_is_rejected(team: Team, api: Api) -> None:
    made = create(api)
    first = api("POST", f"/api-keys/{made['id']}/revoke")
    assert first["revokedAt"] is not None
    assert api("POST", f"/api-keys/{made['id']}/revoke") == first
    assert api("POST", f"/api-keys/{made['id']}/rotate", {}, status=409)["code"] == "API_KEY_ENDED"
    assert Api(team.workspace, key=made["secret"]).send("GET", "/credits").status_code == 401


def test_key_can_revoke_itself(api: Api) -> None:
    api("POST", f"/api-keys/{own_id(api)}/revoke")
    assert api("GET", "/api-keys", status=401)["code"] == "INVALID_API_KEY"


def test_changes_are_audited_with_the_acting_key(api: Api) -> None:
    made = create(api)
    new = api("POST", f"/api-keys/{made['id']}/rotate", {}, status=201)
    api("POST", f"/api-keys/{made['id']}/revoke")
    entries = AuditEntry.objects.filter(actor_id=own_id(api)).order_by("created_at", "id")
    assert [(each.action, each.target_id) for each in entries] == [
        ("api_key.created", made["id"]),
        ("api_key.rotated", made["id"]),
        ("api_key.revoked", made["id"]),
    ]
    assert entries[1].details["replacedBy"] == new["id"]
    text = " ".join(str(each.details) + each.target_label for each in entries)
    assert made["secret"] not in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("scopes", []),
        ("scopes", ["everything"]),
        ("scopes", "read"),
        ("rateLimitPerHour", 0),
        ("rateLimitPerHour", 10_001),
        ("rateLimitPerHour", "10"),
        ("expiresAt", "2020-01-01T00:00:00Z"),
        ("expiresAt", "2099-01-01T00:00:00"),
        ("expiresAt", "tomorrow"),
        ("expiresAt", "9999-12-31T23:59:59-23:59"),
        ("workspaceId", "x"),
    ],
)
def test_invalid_field_is_named(api: Api, field: str, value: Any) -> None:
    body = {"name": "CI", "scopes": ["read"], field: value}
    refused = api("POST", "/api-keys", body, status=400)
    assert [name.split(".")[0] for name in refused["details"]] == [field]


@pytest.mark.parametrize("grace", [-1, 604_801, 1.5, "60", None])
def test_invalid_grace_is_refused(api: Api, grace: Any) -> None:
    path = f"/api-keys/{own_id(api)}/rotate"
    refused = api("POST", path, {"graceSeconds": grace}, status=400)
    assert list(refused["details"]) == ["graceSeconds"]
