"""Permissions of every URL of a workspace, in every role, compared with a written table."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from apps.api_keys.services import issue_key
from apps.chatbots.queries import versions_for
from apps.conversations.models import Knowledge, Turn
from apps.credits.credit_requests import request_credits
from apps.dashboard.urls import urlpatterns
from apps.knowledge.queries import live_chunks
from apps.webhooks.services import send_test
from apps.workspaces.models import Role
from apps.workspaces.roles import ROLE_PERMISSIONS, Permission, is_allowed
from apps.workspaces.services import add_member, invite
from tests.contracts.app_boundaries import ROOT
from tests.conversations.export_factory import make_export
from tests.factories import Team, make_chatbot, make_user, make_webhook_endpoint
from tests.knowledge.knowledge_factory import make_knowledge
from tests.leads.lead_factory import make_lead
from tests.turns.turn_factory import make_running_turn
from tests.workspaces.members import actor_for, get_member

ACTORS = [*Role.values, "outsider", "anonymous"]

URLS_BY_PERMISSION = {
    Permission.VIEW: """overview live chatbots chatbot rate_limit_preview versions version
        conversations conversation turn credits month leads lead webhooks webhook delivery keys
        developers developers_page requests settings members leave_workspace knowledge
        knowledge_base knowledge_settings search_knowledge source source_documents
        download_source chatbot_knowledge unanswered""",
    Permission.CHAT: "playground chat stop",
    Permission.EDIT_CONVERSATIONS: "edit_conversation rate_message dismiss_question",
    Permission.DELETE_CONVERSATIONS: "delete_conversation",
    Permission.EDIT_LEADS: "edit_lead change_lead_status delete_lead",
    Permission.EXPORT: """exports create_export download_export delete_export statement month_csv
        leads_export""",
    Permission.EDIT_CHATBOTS: """new_chatbot save_chatbot save_behaviour duplicate_chatbot
        restore_version save_chatbot_knowledge""",
    Permission.DELETE_CHATBOTS: "delete_chatbot",
    Permission.EDIT_KNOWLEDGE: """create_knowledge_base rename_knowledge_base
        change_embedding_model reindex_knowledge_base add_source upload_files source_settings
        reindex_source cancel_source delete_source edit_chunk answer_question
        unanswered_question""",
    Permission.DELETE_KNOWLEDGE: "delete_knowledge_base",
    Permission.MANAGE_KEYS: "create_key rotate_key revoke_key",
    Permission.MANAGE_WEBHOOKS: """new_webhook create_webhook edit_webhook toggle_webhook
        rotate_webhook_secret test_webhook delete_webhook resend_delivery""",
    Permission.REQUEST_CREDITS: "set_alert request_plan request_credits withdraw_request",
    Permission.MANAGE_MEMBERS: "invite change_role remove_member revoke_invitation",
    Permission.VIEW_AUDIT_LOG: "audit audit_export",
    Permission.EDIT_SETTINGS: "rename_workspace set_retention erase_user",
    Permission.OWN: "delete_workspace cancel_deletion transfer_ownership",
}
"""The URL names by the permission that they require, written apart from the views, so that a view
with the wrong permission is noticed. Add new URLs here."""

PERMISSIONS = {name: row for row, names in URLS_BY_PERMISSION.items() for name in names.split()}


def url_arguments(team: Team) -> dict[str, str]:
    """Arguments for every URL, from rows of the team's workspace. Add new arguments here."""
    turn = make_running_turn(make_chatbot(team.workspace))
    Turn.objects.filter(id=turn.id).update(knowledge=Knowledge.NOTHING_FOUND)
    alice = get_member(team.workspace, team.alice)
    invitation = invite(
        workspace=team.workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=actor_for(alice),
    )
    endpoint, _ = make_webhook_endpoint(team.workspace)
    source = make_knowledge(turn.chatbot, text="Boots")
    credit_request = request_credits(
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
        "knowledge_base_id": source.knowledge_base_id,
        "source_id": source.id,
        "chunk_id": live_chunks(source)[0].id,
        "endpoint_id": endpoint.id,
        "delivery_id": send_test(endpoint=endpoint).id,
        "export_id": make_export(team.workspace).id,
        "key_id": issue_key(workspace=team.workspace, name="n")[0].id,
        "member_id": alice.id,
        "invitation_id": invitation.id,
        "page": "chat",
        "month": "2026-11",
        "request_id": credit_request.id,
    }


def client_for(team: Team, actor: str) -> Client:
    client = Client()
    if actor == "outsider":
        client.force_login(team.charlie)
    elif actor != "anonymous":
        user = make_user(actor)
        add_member(workspace=team.workspace, user=user, role=Role(actor))
        client.force_login(user)
    return client


def url_of(pattern: URLPattern, values: dict[str, str]) -> str:
    arguments = {"slug", *pattern.pattern.converters}
    unknown = arguments - values.keys()
    assert not unknown, f"Add {unknown} to url_arguments() in {__file__}."
    return reverse(f"dashboard:{pattern.name}", kwargs={name: values[name] for name in arguments})


@pytest.mark.parametrize("actor", ACTORS)
def test_page_permissions_match_the_table(team: Team, actor: str) -> None:
    client, values = client_for(team, actor), url_arguments(team)
    found, expected = {}, {}
    for pattern in urlpatterns:
        found[pattern.name] = client.get(url_of(pattern, values)).status_code
        if actor == "anonymous":
            expected[pattern.name] = {302}
        elif actor == "outsider":
            expected[pattern.name] = {404}
        else:
            # The permission is checked before the method: POST-only URLs return 405 if allowed.
            allowed = is_allowed(actor, PERMISSIONS[str(pattern.name)])
            expected[pattern.name] = {200, 302, 405} if allowed else {403}
    wrong = {name: code for name, code in found.items() if code not in expected[name]}
    assert wrong == {}


def test_table_lists_every_url() -> None:
    assert {pattern.name for pattern in urlpatterns} == PERMISSIONS.keys()


def test_unknown_and_foreign_workspace_get_the_same_404(team: Team) -> None:
    client = client_for(team, "outsider")
    foreign = client.get(f"/w/{team.workspace.slug}/")
    unknown = client.get("/w/nowhere/")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    pages = [
        page.content.replace(page.headers["X-Request-Id"].encode(), b"")
        for page in (foreign, unknown)
    ]
    assert pages[0] == pages[1]


def test_roles_doc_matches_the_code() -> None:
    lines = (ROOT / "docs" / "reference" / "roles.md").read_text().splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    rows = [[cell.strip() for cell in row] for row in cells]
    header, table = rows[0][1:], {row[0]: row[1:] for row in rows[2:]}
    assert header == Role.values
    assert table == {
        permission.value: [
            "yes" if is_allowed(role, permission) else "—" for role in ROLE_PERMISSIONS
        ]
        for permission in Permission
    }
