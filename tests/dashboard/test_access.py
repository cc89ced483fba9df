"""Every page of a workspace, in every role: held to the table, found by walking the addresses."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from apps.api_keys.services import issue_key
from apps.chatbots.queries import versions_for
from apps.credits.credit_requests import request_credits
from apps.dashboard.urls import urlpatterns
from apps.webhooks.services import send_test
from apps.workspaces.models import Role
from apps.workspaces.roles import ROLE_PERMISSIONS, Permission, is_allowed
from apps.workspaces.services import add_member, invite
from tests.contracts.test_architecture import ROOT
from tests.conversations.export_helpers import make_export
from tests.factories import Team, make_chatbot, make_user, make_webhook_endpoint
from tests.leads.lead_factory import make_lead
from tests.turns.new_turns import opened
from tests.workspaces.members import actor_for, get_member

ACTORS = [*Role.values, "outsider", "anonymous"]

URLS_BY_PERMISSION = {
    Permission.VIEW: """overview live chatbots chatbot rate_limit_preview versions version
        conversations conversation turn credits month leads lead webhooks webhook delivery keys
        developers developers_page requests settings members leave_workspace""",
    Permission.CHAT: "playground chat stop",
    Permission.EDIT_CONVERSATIONS: "edit_conversation rate_message",
    Permission.DELETE_CONVERSATIONS: "delete_conversation",
    Permission.EDIT_LEADS: "edit_lead change_lead_status delete_lead",
    Permission.EXPORT: """exports create_export download_export delete_export statement month_csv
        leads_export""",
    Permission.EDIT_CHATBOTS: """new_chatbot save_chatbot save_behaviour duplicate_chatbot
        restore_version""",
    Permission.DELETE_CHATBOTS: "delete_chatbot",
    Permission.MANAGE_KEYS: "create_key rotate_key revoke_key",
    Permission.MANAGE_WEBHOOKS: """new_webhook create_webhook edit_webhook toggle_webhook
        rotate_webhook_secret test_webhook delete_webhook resend_delivery""",
    Permission.REQUEST_CREDITS: "set_alert request_plan request_credits withdraw_request",
    Permission.MANAGE_MEMBERS: "invite change_role remove_member revoke_invitation",
    Permission.VIEW_AUDIT_LOG: "audit audit_export",
    Permission.EDIT_SETTINGS: "rename_workspace set_retention erase_user",
    Permission.OWN: "delete_workspace cancel_deletion transfer_ownership",
}
"""What each address wants of a member, by the rows of docs/roles.md: written apart from the views,
so that a view that asks for too little is noticed. A new address wants its name here."""

PERMISSIONS = {name: row for row, names in URLS_BY_PERMISSION.items() for name in names.split()}


def url_arguments(team: Team) -> dict[str, str]:
    """What the addresses name, each of the team's workspace. A new name wants a line here."""
    turn = opened(make_chatbot(team.workspace))
    alice = get_member(team.workspace, team.alice)
    offer = invite(
        workspace=team.workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=actor_for(alice),
    )
    endpoint, _ = make_webhook_endpoint(team.workspace)
    asked = request_credits(
        workspace_id=team.workspace.id, credits=5, note="", user=team.alice, actor=actor_for(alice)
    )
    return {
        "slug": team.workspace.slug,
        "chatbot_id": turn.chatbot_id,
        "version_id": versions_for(turn.chatbot)[0].id,
        "conversation_id": turn.conversation_id,
        "turn_id": turn.id,
        "message_id": turn.message_id,
        "lead_id": make_lead(turn.chatbot).id,
        "endpoint_id": endpoint.id,
        "delivery_id": send_test(endpoint=endpoint).id,
        "export_id": make_export(team.workspace).id,
        "key_id": issue_key(workspace=team.workspace, name="n")[0].id,
        "member_id": alice.id,
        "invitation_id": offer.id,
        "page": "chat",
        "month": "2026-11",
        "request_id": asked.id,
    }


def client_for(team: Team, hand: str) -> Client:
    client = Client()
    if hand == "outsider":
        client.force_login(team.charlie)
    elif hand != "anonymous":
        user = make_user(hand)
        add_member(workspace=team.workspace, user=user, role=Role(hand))
        client.force_login(user)
    return client


def url_of(pattern: URLPattern, values: dict[str, str]) -> str:
    names = {"slug", *pattern.pattern.converters}
    unknown = names - values.keys()
    assert not unknown, f"Say in url_arguments() of {__file__} what {unknown} is."
    return reverse(f"dashboard:{pattern.name}", kwargs={name: values[name] for name in names})


@pytest.mark.parametrize("hand", ACTORS)
def test_page_permissions_match_the_table(team: Team, hand: str) -> None:
    client, values = client_for(team, hand), url_arguments(team)
    found, expected = {}, {}
    for pattern in urlpatterns:
        found[pattern.name] = client.get(url_of(pattern, values)).status_code
        if hand == "anonymous":
            expected[pattern.name] = {302}
        elif hand == "outsider":
            expected[pattern.name] = {404}
        else:
            # What only takes a POST says so (405) to who may; what it wants is asked first.
            allowed = is_allowed(hand, PERMISSIONS[str(pattern.name)])
            expected[pattern.name] = {200, 302, 405} if allowed else {403}
    wrong = {name: code for name, code in found.items() if code not in expected[name]}
    assert wrong == {}


def test_table_lists_every_url() -> None:
    assert {pattern.name for pattern in urlpatterns} == PERMISSIONS.keys()


def test_unknown_and_foreign_workspace_get_the_same_404(team: Team) -> None:
    client = client_for(team, "outsider")
    there = client.get(f"/w/{team.workspace.slug}/")
    nowhere = client.get("/w/nowhere/")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    pages = [
        page.content.replace(page.headers["X-Request-Id"].encode(), b"")
        for page in (there, nowhere)
    ]
    assert pages[0] == pages[1]


def test_roles_doc_matches_the_code() -> None:
    lines = (ROOT / "docs" / "roles.md").read_text().splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    rows = [[cell.strip() for cell in row] for row in cells]
    head, told = rows[0][1:], {row[0]: row[1:] for row in rows[2:]}
    assert head == Role.values
    assert told == {
        permission.value: [
            "yes" if is_allowed(role, permission) else "—" for role in ROLE_PERMISSIONS
        ]
        for permission in Permission
    }
