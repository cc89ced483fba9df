"""How many API keys of a workspace work at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client, override_settings

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key, revoke_key, rotate_key
from apps.audit.services import SYSTEM
from apps.core.errors import NotFound
from apps.workspaces.errors import LimitReached
from tests.concurrent_sessions import after, at_once
from tests.factories import Team
from tests.workspaces.test_limits import close


def issue(team: Team) -> ApiKey:
    return issue_key(workspace=team.workspace, name="n")[0]


def test_keys_created_at_once_are_limited(live_team: Team) -> None:
    with override_settings(MAX_API_KEYS=3):
        assert at_once(lambda _: issue(live_team)) == {"done": 3, "LimitReached": 9}


@override_settings(MAX_API_KEYS=3)
def test_rotated_keys_count_until_they_end(team: Team) -> None:
    key, hour = issue(team), timedelta(hours=1)
    second, _ = rotate_key(key=key, grace=hour, actor=SYSTEM)
    third, _ = rotate_key(key=second, grace=hour, actor=SYSTEM)
    fourth, _ = rotate_key(key=third, grace=timedelta(0), actor=SYSTEM)
    with pytest.raises(LimitReached, match="at most 3 API keys"):
        issue(team)
    revoke_key(key=key)
    issue(team)
    assert fourth.revoked_at is None


@override_settings(MAX_API_KEYS=1)
def test_refused_key_is_explained_on_the_page(client: Client, team: Team) -> None:
    issue(team)
    client.force_login(team.alice)
    response = client.post(
        f"/w/{team.workspace.slug}/keys/create", {"name": "n", "scopes": ["chat"], "expires": ""}
    )
    assert response.status_code == 422
    assert "at most 1 API keys that work" in response.content.decode()


def test_key_is_not_created_while_the_workspace_closes(live_team: Team) -> None:
    assert isinstance(after(lambda: close(live_team.workspace), lambda: issue(live_team)), NotFound)
    assert not ApiKey.objects.filter(workspace=live_team.workspace).exists()
