from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import authenticate_key
from apps.api_keys.services import issue_key
from apps.audit.queries import entries_for
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
)
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn


def create(team: Team, **form: Any) -> Any:
    given = {"name": "Website", "scopes": ["chat"], "expires": "", **form}
    return login(team.alice).post(page_path(team.workspace, "keys/create"), given)


def test_created_key_is_shown_once_with_a_curl_command(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    response = create(team, scopes=["chat", "read"], expires="30")
    secret = response.context["secret"]
    page = response.content.decode()
    assert (response.status_code, page.count(secret)) == (201, 2)
    assert page.count(f"/api/v1/chatbots/{chatbot.id}/chat") == 1
    assert "no-store" in response.headers["Cache-Control"]
    caller = authenticate_key(secret)
    assert (caller.workspace_id, sorted(caller.scopes)) == (team.workspace.id, ["chat", "read"])
    key = ApiKey.objects.get(id=caller.api_key_id)
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)
    assert secret not in login(team.alice).get(page_path(team.workspace, "keys")).content.decode()
    (entry,) = entries_for(team.workspace.id).filter(action__startswith="api_key.")
    assert (entry.action, entry.actor_label) == ("api_key.created", team.alice.email)
    assert secret not in str(vars(entry))


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expires": "7000"}, "expires"),
    ],
)
def test_invalid_key_gets_form_errors(team: Team, form: dict[str, Any], wrong: str) -> None:
    response = create(team, **form)
    assert (response.status_code, list(response.context["form"].errors)) == (422, [wrong])
    assert ApiKey.objects.filter(workspace=team.workspace).count() == 0


def test_key_is_revoked_immediately_and_once(team: Team) -> None:
    secret = make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    alice, page = login(team.alice), page_path(team.workspace, f"keys/{key.id}/revoke")
    texts = shown_messages(alice.post(page, follow=True))
    assert texts == ["test revoked. Requests with this key are now rejected."]
    alice.post(page)
    with pytest.raises(InvalidApiKey):
        authenticate_key(secret)
    assert entries_for(team.workspace.id).filter(action="api_key.revoked").count() == 1


def test_key_of_another_workspace_is_not_found(team: Team) -> None:
    secret = make_api_key(team.other_workspace)
    key = ApiKey.objects.get(workspace=team.other_workspace)
    response = login(team.alice).post(page_path(team.workspace, f"keys/{key.id}/revoke"))
    assert response.status_code == 404
    assert authenticate_key(secret).workspace_id == team.other_workspace.id


def test_list_shows_usage_of_each_key(team: Team) -> None:
    grant_credits(team.workspace, 10)
    key, _ = issue_key(workspace=team.workspace, name="Website")
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=3))
    for _ in range(2):
        complete_turn(make_running_turn(chatbot, credits=3, api_key_id=key.id))
    page = login(team.bob).get(page_path(team.workspace, "keys"))
    ((shown, use),) = page.context["keys"]
    assert (shown, use.turns, use.credits) == (key, 2, 6)


def test_changing_keys_requires_permission(team: Team) -> None:
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    form = {"name": "Website", "scopes": ["chat"]}
    created, revoked, rotated, seen = {}, {}, {}, {}
    for name, browser in clients_by_role(team).items():
        created[name] = browser.post(page_path(team.workspace, "keys/create"), form).status_code
        rotate = browser.post(page_path(team.workspace, f"keys/{key.id}/rotate"), {"grace": "0"})
        rotated[name] = rotate.status_code
        revoked[name] = browser.post(page_path(team.workspace, f"keys/{key.id}/revoke")).status_code
        seen[name] = browser.get(page_path(team.workspace, "keys")).status_code
    others = {"member": 403, "viewer": 403, "outsider": 404, "anonymous": 302}
    assert created == {"owner": 201, "admin": 201, **others}
    assert rotated == {"owner": 201, "admin": 302, **others}
    assert revoked == {"owner": 302, "admin": 302, **others}
    assert seen == {**others, "owner": 200, "admin": 200, "member": 200, "viewer": 200}


def test_query_count_is_constant(team: Team, alice: Client) -> None:
    def add_keys(count: int) -> None:
        for _ in range(count):
            make_api_key(team.workspace)

    first, last = count_queries_at_1_and_50_rows(alice, page_path(team.workspace, "keys"), add_keys)
    assert first == last


def test_rotated_key_is_shown_once_and_old_key_keeps_working(team: Team) -> None:
    old_secret = make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    rotate = page_path(team.workspace, f"keys/{key.id}/rotate")
    response = login(team.alice).post(rotate, {"grace": "3600"})
    secret = response.context["secret"]
    assert (response.status_code, secret != old_secret) == (201, True)
    assert "no-store" in response.headers["Cache-Control"]
    assert authenticate_key(secret).scopes == authenticate_key(old_secret).scopes
    key.refresh_from_db()
    assert key.expires_at is not None
    assert timedelta(minutes=59) < key.expires_at - timezone.now() <= timedelta(hours=1)
    assert f"works until {key.expires_at:%-d %b %Y, %H:%M} UTC" in response.content.decode()
    (entry,) = entries_for(team.workspace.id).filter(action="api_key.rotated")
    assert entry.actor_label == team.alice.email
    login(team.alice).post(rotate, {"grace": "0"})
    with pytest.raises(InvalidApiKey):
        authenticate_key(old_secret)


def test_ended_key_and_invalid_grace_are_not_rotated(team: Team) -> None:
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    alice, rotate = login(team.alice), page_path(team.workspace, f"keys/{key.id}/rotate")
    texts = shown_messages(alice.post(rotate, {"grace": "99999999"}, follow=True))
    assert texts == ["Choose when to revoke the old key."]
    alice.post(page_path(team.workspace, f"keys/{key.id}/revoke"))
    texts = shown_messages(alice.post(rotate, {"grace": "0"}, follow=True))
    assert texts[-1] == "This API key has been revoked or has expired. Create a new one."
    assert ApiKey.objects.filter(workspace=team.workspace).count() == 1
