"""Staff need a reason to read messages, which the owner sees in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.audit.queries import entries_for
from apps.conversations.models import Conversation
from tests.factories import Team, grant_credits, make_chatbot, make_user
from tests.turns.turn_factory import complete_turn, make_running_turn

QUESTION, ANSWER = "What <b>I</b> said", "<script>answer()</script>"


@pytest.fixture
def conversation(team: Team) -> Conversation:
    grant_credits(team.workspace, 10)
    turn = make_running_turn(
        make_chatbot(team.workspace), credits=1, text=QUESTION, metadata={"userId": "u-7"}
    )
    complete_turn(turn, ANSWER)
    return Conversation.objects.get(workspace=team.workspace)


@pytest.fixture
def support(db: None) -> Client:
    user = make_user("support", is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    client = Client()
    client.force_login(user)
    return client


def post_reason(client: Client, conversation: Conversation, *, reason: str | None = None) -> Any:
    address = reverse("admin:conversations_conversation_read", args=[conversation.id])
    return client.get(address) if reason is None else client.post(address, {"reason": reason})


def audit_log(conversation: Conversation) -> list[tuple[str, str, dict[str, Any]]]:
    """The workspace's audit entries after the creation of its chatbot."""
    entries = entries_for(conversation.workspace_id).exclude(action="chatbot.created")
    return [(entry.action, entry.target_id, entry.details) for entry in entries]


@pytest.mark.parametrize("reason", [None, "", "because", " " * 40])
def test_messages_need_a_reason(
    support: Client, conversation: Conversation, reason: str | None
) -> None:
    page = post_reason(support, conversation, reason=reason)
    assert (page.status_code, page.context["lines"]) == (200, None)
    assert ("I</b> said" in page.content.decode(), audit_log(conversation)) == (False, [])


def test_reason_shows_messages_and_is_audited(support: Client, conversation: Conversation) -> None:
    page = post_reason(support, conversation, reason="Ticket 4711: the answer was cut")
    assert [line.text for line in page.context["lines"]] == [QUESTION, ANSWER]
    assert audit_log(conversation) == [
        ("conversation.read", conversation.id, {"reason": "Ticket 4711: the answer was cut"})
    ]


def test_messages_are_escaped(support: Client, conversation: Conversation) -> None:
    page = post_reason(
        support, conversation, reason="Ticket 4711: the answer was cut"
    ).content.decode()
    assert (QUESTION in page, ANSWER in page) == (False, False)
    assert "What &lt;b&gt;I&lt;/b&gt; said" in page
    assert "&lt;script&gt;answer()&lt;/script&gt;" in page


def test_absent_conversation_is_not_found(support: Client, db: None) -> None:
    address = reverse("admin:conversations_conversation_read", args=["c" * 25])
    assert support.get(address).status_code == 404
