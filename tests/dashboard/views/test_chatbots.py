"""Chatbots: created, edited, duplicated and deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.forms import model_to_dict
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from apps.audit.models import ActorKind, AuditEntry
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.queries import chatbots_for
from apps.conversations.models import Turn
from apps.credits.prices import Price
from apps.dashboard.forms.chatbots import ChatbotForm
from apps.dashboard.presenters.rate_limit_text import describe_rate_limit
from apps.dashboard.price_text import describe_price
from apps.knowledge.queries import knowledge_bases_of
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.dashboard.page_client import table_cells
from tests.factories import Team, make_chatbot, make_language_model, make_user
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.turns.turn_factory import make_running_turn


def at(team: Team, *rest: str) -> str:
    return "/".join([f"/w/{team.workspace.slug}/chatbots", *rest])


def form_fields(chatbot: Chatbot, **changes: Any) -> dict[str, Any]:
    """What the browser sends for this chatbot, with some fields changed; unchecked is not sent."""
    values = model_to_dict(chatbot, ChatbotForm.Meta.fields) | changes
    return {name: value for name, value in values.items() if value is not False}


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def audited_actions(team: Team) -> list[tuple[str, str]]:
    """What people did, and who."""
    by_people = AuditEntry.objects.filter(workspace=team.workspace, actor_kind=ActorKind.PERSON)
    found = by_people.order_by("created_at", "id")
    return list(found.values_list("action", "actor_label"))


def test_created_chatbot_opens_its_playground(team: Team, alice: Client) -> None:
    fields = {"name": "Sales", "language_model": make_language_model().id, "system_prompt": "Sell."}
    response = alice.post(at(team, "new"), fields)
    chatbot = Chatbot.objects.get(workspace=team.workspace)
    assert (chatbot.name, chatbot.system_prompt) == ("Sales", "Sell.")
    assert response["Location"] == at(team, chatbot.id, "playground")
    assert audited_actions(team) == [("chatbot.created", team.alice.email)]


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\x00b"])
def test_invalid_name_is_rejected(team: Team, alice: Client, name: str) -> None:
    fields = {"name": name, "language_model": make_language_model().id, "system_prompt": "Sell."}
    response = alice.post(at(team, "new"), fields)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["name"]
    assert Chatbot.objects.filter(workspace=team.workspace).count() == 0


def test_new_chatbot_page_explains_missing_models(team: Team, alice: Client) -> None:
    LanguageModel.objects.update(is_active=False)
    assert b"No language models available" in alice.get(at(team, "new")).content


def test_changes_are_saved_and_audited(team: Team, alice: Client, chatbot: Chatbot) -> None:
    changes = {"temperature": "0.2", "stream_by_default": True, "is_active": False}
    response = alice.post(at(team, chatbot.id, "save"), form_fields(chatbot, **changes))
    assert response["Location"] == at(team, chatbot.id)
    assert messages_of(response) == ["Saved: temperature, stream responses by default, active."]
    chatbot.refresh_from_db()
    assert (chatbot.temperature, chatbot.stream_by_default, chatbot.is_active) == (0.2, True, False)
    assert audited_actions(team) == [("chatbot.updated", team.alice.email)]
    entry = AuditEntry.objects.get(workspace=team.workspace, action="chatbot.updated")
    assert entry.details["changed"] == ["temperature", "stream_by_default", "is_active"]


def test_saving_without_changes_does_nothing(team: Team, alice: Client, chatbot: Chatbot) -> None:
    response = alice.post(at(team, chatbot.id, "save"), form_fields(chatbot))
    assert messages_of(response) == ["No changes to save."]
    assert audited_actions(team) == []


def test_invalid_field_prevents_saving(team: Team, alice: Client, chatbot: Chatbot) -> None:
    fields = form_fields(chatbot, name="Renamed", rate_limit_requests="0")
    response = alice.post(at(team, chatbot.id, "save"), fields)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["rate_limit_requests"]
    assert response.context["chatbot"].name == "Support"
    chatbot.refresh_from_db()
    assert chatbot.name == "Support"


def test_inactive_model_is_kept_but_cannot_be_chosen(
    team: Team, alice: Client, chatbot: Chatbot
) -> None:
    off = make_language_model(is_active=False)
    refused = alice.post(at(team, chatbot.id, "save"), form_fields(chatbot, language_model=off.id))
    assert list(refused.context["form"].errors) == ["language_model"]
    LanguageModel.objects.filter(id=chatbot.language_model_id).update(is_active=False)
    saved = alice.post(at(team, chatbot.id, "save"), form_fields(chatbot, temperature="1"))
    assert messages_of(saved) == ["Saved: temperature."]


def test_duplicate_copies_settings_and_name(team: Team, alice: Client, chatbot: Chatbot) -> None:
    Chatbot.objects.filter(id=chatbot.id).update(name="x" * 120, temperature=1.5)
    response = alice.post(at(team, chatbot.id, "copy"))
    copy = Chatbot.objects.exclude(id=chatbot.id).get(workspace=team.workspace)
    assert (copy.name, copy.temperature) == (f"Copy of {'x' * 112}", 1.5)
    assert response["Location"] == at(team, copy.id)


def test_duplicate_has_the_same_knowledge(team: Team, alice: Client, chatbot: Chatbot) -> None:
    base = make_knowledge_base(team.workspace)
    set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=SYSTEM)
    alice.post(at(team, chatbot.id, "copy"))
    copy = Chatbot.objects.exclude(id=chatbot.id).get(workspace=team.workspace)
    assert list(knowledge_bases_of(copy)) == [base]


def test_duplicate_requires_an_active_model(team: Team, alice: Client, chatbot: Chatbot) -> None:
    LanguageModel.objects.filter(id=chatbot.language_model_id).update(is_active=False)
    response = alice.post(at(team, chatbot.id, "copy"))
    assert messages_of(response) == ["There is no such language model to choose."]
    assert list(chatbots_for(team.workspace.id)) == [chatbot]


def test_deletion_requires_the_name(team: Team, alice: Client, chatbot: Chatbot) -> None:
    wrong = alice.post(at(team, chatbot.id, "delete"), {"name": "support"})
    assert messages_of(wrong) == ["The name doesn't match. Support was not deleted."]
    right = alice.post(at(team, chatbot.id, "delete"), {"name": "Support"})
    assert right["Location"] == at(team)
    assert list(chatbots_for(team.workspace.id)) == []
    assert audited_actions(team) == [("chatbot.deleted", team.alice.email)]


def test_deleted_chatbot_keeps_its_conversations(
    team: Team, alice: Client, chatbot: Chatbot
) -> None:
    turn = make_running_turn(chatbot)
    alice.post(at(team, chatbot.id, "delete"), {"name": "Support"})
    assert alice.get(at(team, chatbot.id)).status_code == 404
    assert Turn.objects.filter(id=turn.id).exists()


def test_viewer_sees_read_only_settings(team: Team, chatbot: Chatbot) -> None:
    viewer, client = make_user("viewer"), Client()
    add_member(workspace=team.workspace, user=viewer, role=Role.VIEWER)
    client.force_login(viewer)
    page = client.get(at(team, chatbot.id))
    assert all(field.disabled for field in page.context["form"].fields.values())
    for text in (b"Duplicate", b"Danger zone", b"Playground", b"savebar"):
        assert text not in page.content
    for action in ("save", "behaviour", "copy", "delete", "playground/chat", "playground/stop"):
        assert client.post(at(team, chatbot.id, action)).status_code == 403


@pytest.mark.parametrize("id", ["c-nothing", "%00", "theirs"])
def test_unknown_and_foreign_chatbot_are_not_found(team: Team, alice: Client, id: str) -> None:
    theirs = make_chatbot(team.other_workspace).id
    assert alice.get(at(team, theirs if id == "theirs" else id)).status_code == 404


def test_name_is_escaped(team: Team, alice: Client) -> None:
    attack = "<script>alert(1)</script>"
    chatbot = make_chatbot(team.workspace, name=attack, system_prompt=f"</textarea>{attack}")
    for rest in ([], [chatbot.id], [chatbot.id, "playground"]):
        page = alice.get(at(team, *rest)).content.decode()
        assert attack not in page
        assert escape(attack) in page


def test_list_shows_recent_turns(team: Team, alice: Client, chatbot: Chatbot) -> None:
    make_chatbot(team.workspace, chatbot.language_model, name="Quiet")
    make_running_turn(chatbot)
    make_running_turn(chatbot)
    Turn.objects.filter(id=make_running_turn(chatbot).id).update(
        created_at=timezone.now() - timedelta(31)
    )
    rows = table_cells(alice.get(at(team)).content.decode())
    assert [(row[0], row[4]) for row in rows] == [("Quiet", "0"), ("Support", "2")]


def test_query_count_is_constant(team: Team, alice: Client, django_assert_num_queries: Any) -> None:
    model = make_language_model()
    make_chatbot(team.workspace, model)
    with django_assert_num_queries(9):
        alice.get(at(team))
    for _ in range(49):
        make_chatbot(team.workspace, model)
    with django_assert_num_queries(9):
        alice.get(at(team))


# Rate limits and prices as text


@pytest.mark.parametrize(
    ("requests", "seconds", "text"),
    [
        (60, 60, "About 1 per second, or 86,400 per day."),
        (10, 60, "About 10 per minute, or 14,400 per day."),
        (1, 3600, "About 1 per hour, or 24 per day."),
        (5, 86_400, "About 5 per day."),
    ],
)
def test_rate_limit_is_described(requests: int, seconds: int, text: str) -> None:
    assert describe_rate_limit(requests=requests, seconds=seconds) == text


def test_rate_limit_preview_shows_usage(team: Team, alice: Client, chatbot: Chatbot) -> None:
    make_running_turn(chatbot)
    make_running_turn(make_chatbot(team.workspace))
    typed = {"rate_limit_requests": "5", "rate_limit_window_seconds": "86400"}
    context = alice.get(at(team, chatbot.id, "limit"), typed).context
    assert (context["limit_text"], context["turns_last_day"]) == ("About 5 per day.", 1)
    typed["rate_limit_requests"] = "many"
    context = alice.get(at(team, chatbot.id, "limit"), typed).context
    assert context["limit_text"] == "About 2 per hour, or 60 per day."


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (Price(0), "free"),
        (Price(1), "1 credit per reply"),
        (
            Price(0, 2, 6),
            "2 credits per 1,000 input tokens and 6 credits per 1,000 output tokens",
        ),
    ],
)
def test_price_is_described(price: Price, text: str) -> None:
    assert describe_price(price) == text
