"""Leads captured from conversations: detected in messages or given as metadata."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Role, Turn
from apps.core.errors import ValidationFailed
from apps.leads.capture import capture_from_metadata, parse_lead_metadata, scan_new_turns, scan_turn
from apps.leads.capture.saving import lock_conversation
from apps.leads.capture.scanning import MAX_PER_WORKSPACE, next_turns
from apps.leads.fields import LeadFields
from apps.leads.models import CapturedField, Lead, Reading
from apps.leads.payloads import lead_payload
from tests.factories import Team, make_chatbot, make_workspace
from tests.fault_injection import reject_inserts
from tests.leads.lead_factory import lead_events, make_lead, make_scanned_conversation, make_turn
from tests.turns.turn_factory import make_running_turn


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace, lead_capture="detect")


def saved_leads(chatbot: Chatbot) -> list[tuple[str, str | None, str]]:
    leads = Lead.objects.filter(chatbot=chatbot).order_by("created_at", "id")
    return list(leads.values_list("name", "email", "phone"))


def citations(chatbot: Chatbot) -> list[tuple[str, str, str]]:
    """Field, value and message text of the citations, in the order of the conversation."""
    citations = CapturedField.objects.filter(lead__chatbot=chatbot)
    citations = citations.order_by("message__created_at", "field")
    return list(citations.values_list("field", "value", "message__text"))


def test_details_of_one_message_create_a_lead(chatbot: Chatbot) -> None:
    text = "My name is Ana B. I'm at Ana@Example.com or +44 20 7946 0958"
    conversation = make_scanned_conversation(chatbot, text)
    lead = Lead.objects.get(chatbot=chatbot)
    assert saved_leads(chatbot) == [("Ana B", "ana@example.com", "+442079460958")]
    assert (lead.source, lead.conversation) == ("chat", conversation)
    assert citations(chatbot) == [
        ("email", "ana@example.com", text),
        ("name", "Ana B", text),
        ("phone", "+442079460958", text),
    ]
    assert lead_events(chatbot.workspace) == [("lead.created", lead_payload(lead))]
    message = conversation.messages.get(role=Role.USER)
    assert {each["messageId"] for each in lead_payload(lead)["captured"]} == {message.id}


def test_details_of_a_conversation_are_merged(chatbot: Chatbot) -> None:
    make_scanned_conversation(
        chatbot, "Hi, my name is Ana", "+44 20 7946 0958", "or ana@example.com", "thanks!"
    )
    assert saved_leads(chatbot) == [("Ana", "ana@example.com", "+442079460958")]
    assert citations(chatbot) == [
        ("name", "Ana", "Hi, my name is Ana"),
        ("phone", "+442079460958", "+44 20 7946 0958"),
        ("email", "ana@example.com", "or ana@example.com"),
    ]
    assert [event for event, _ in lead_events(chatbot.workspace)] == [
        "lead.created",
        "lead.updated",
    ]


def test_email_alone_creates_a_lead_without_a_name(chatbot: Chatbot) -> None:
    make_scanned_conversation(chatbot, "ana@example.com")
    assert saved_leads(chatbot) == [("", "ana@example.com", "")]
    assert lead_payload(Lead.objects.get(chatbot=chatbot))["name"] is None


@pytest.mark.parametrize("text", ["My name is Ana", "Hello", "call 020 7946 0958"])
def test_message_without_email_or_phone_creates_no_lead(chatbot: Chatbot, text: str) -> None:
    make_scanned_conversation(chatbot, text)
    assert saved_leads(chatbot) == []


def test_another_email_creates_another_lead(chatbot: Chatbot) -> None:
    make_scanned_conversation(
        chatbot, "ana@example.com", "my boss is bo@example.com", "+44 20 7946 0958"
    )
    assert saved_leads(chatbot) == [
        ("", "ana@example.com", ""),
        ("", "bo@example.com", "+442079460958"),
    ]


def test_detected_details_fill_only_empty_fields(chatbot: Chatbot) -> None:
    lead = make_lead(chatbot, phone="+12025550143", status="contacted")
    make_scanned_conversation(chatbot, "My name is Zoe, ana@example.com, +44 20 7946 0958")
    lead.refresh_from_db()
    assert (lead.name, lead.phone, lead.status, lead.source) == (
        "Ana",
        "+12025550143",
        "contacted",
        "api",
    )
    assert [cited[:2] for cited in citations(chatbot)] == [
        ("email", "ana@example.com"),
        ("name", "Zoe"),
        ("phone", "+442079460958"),
    ]


def test_returning_visitor_is_the_same_lead(chatbot: Chatbot) -> None:
    first = make_scanned_conversation(chatbot, "ana@example.com")
    make_scanned_conversation(
        chatbot, "ana@example.com", "again: ana@example.com", "+44 20 7946 0958"
    )
    assert saved_leads(chatbot) == [("", "ana@example.com", "+442079460958")]
    assert Lead.objects.get(chatbot=chatbot).conversation == first
    assert [cited[0] for cited in citations(chatbot)] == ["email", "email", "phone"]


def test_turn_is_scanned_once(chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "ana@example.com")
    assert [scan_turn(turn=turn), scan_turn(turn=turn)] == [True, False]
    assert len(lead_events(chatbot.workspace)) == 1


def test_deleted_lead_is_not_created_again(chatbot: Chatbot) -> None:
    make_turn(chatbot, "ana@example.com")
    assert scan_new_turns() == 1
    Lead.objects.filter(chatbot=chatbot).delete()
    assert (scan_new_turns(), saved_leads(chatbot)) == (0, [])


def test_only_chatbots_that_capture_leads_are_scanned(team: Team) -> None:
    chatbots = {
        setting: make_chatbot(team.workspace, lead_capture=setting)
        for setting in ("off", "detect", "ask")
    }
    for chatbot in chatbots.values():
        make_turn(chatbot, "ana@example.com")
    assert scan_new_turns() == 2
    assert [name for name, chatbot in chatbots.items() if saved_leads(chatbot)] == ["detect", "ask"]


def test_answer_of_the_model_is_not_scanned(chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "How can I reach you?")
    Message.objects.filter(turn=turn, role=Role.ASSISTANT).update(text="office@example.com")
    assert (scan_new_turns(), saved_leads(chatbot)) == (1, [])


def test_old_turns_are_skipped_and_old_readings_deleted(chatbot: Chatbot) -> None:
    old = timedelta(hours=settings.LEAD_READING_HOURS, minutes=1)
    late, known = make_turn(chatbot, "ana@example.com"), make_turn(chatbot, "bo@example.com")
    scan_turn(turn=known)
    Turn.objects.filter(id__in=[late.id, known.id]).update(created_at=Now() - old)
    Reading.objects.update(created_at=Now() - old - timedelta(hours=1))
    assert (scan_new_turns(), Reading.objects.count()) == (0, 0)


def test_failed_scan_does_not_block_the_next_turn(chatbot: Chatbot) -> None:
    other = make_chatbot(make_workspace(), lead_capture="detect")
    for each in (chatbot, other):
        make_turn(each, "ana@example.com")
    with reject_inserts("leads_lead", chatbot.workspace):
        assert scan_new_turns() == 1
    assert (saved_leads(chatbot), saved_leads(other)) == ([], [("", "ana@example.com", "")])
    assert (scan_new_turns(), saved_leads(chatbot)) == (1, [("", "ana@example.com", "")])


def test_workspaces_take_turns(team: Team) -> None:
    """The first message of each, then the second of each, and a share each in a batch."""
    chatbots = [
        make_chatbot(workspace, lead_capture="detect")
        for workspace in (team.workspace, team.other_workspace, make_workspace())
    ]
    busy = [make_turn(chatbots[0], "Hello") for _ in range(MAX_PER_WORKSPACE + 2)]
    others = [make_turn(chatbot, "Hello") for _ in range(2) for chatbot in chatbots[1:]]
    expected = [busy[0], *others[:2], busy[1], *others[2:], *busy[2:MAX_PER_WORKSPACE]]
    assert next_turns() == expected
    assert scan_new_turns(max_seconds=60) == len(busy) + len(others)


def test_run_ends_when_its_time_is_up(chatbot: Chatbot) -> None:
    for _ in range(3):
        make_turn(chatbot, "Hello")
    assert [scan_new_turns(max_seconds=0) for _ in range(4)] == [1, 1, 1, 0]


def test_conversation_of_another_worker_is_skipped(live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace, lead_capture="detect")
    turn = make_turn(chatbot, "ana@example.com")

    def scan() -> bool:
        try:
            return scan_turn(turn=turn)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        lock_conversation(turn)
        assert other.submit(scan).result(timeout=30) is False
    assert scan_turn(turn=turn) is True


def test_earlier_messages_are_searched_for_a_name_once(chatbot: Chatbot) -> None:
    def searches(text: str) -> int:
        turn = make_turn(chatbot, text, conversation)
        with CaptureQueriesContext(connection) as queries:
            scan_turn(turn=turn)
        return sum('"created_at" <' in query["sql"] for query in queries)

    conversation = make_turn(chatbot, "Hello").conversation
    assert [searches(text) for text in ("ana@example.com", "+44 20 7946 0958", "Thanks")] == [
        *(1, 0, 0)
    ]


def test_lead_outlives_its_conversation(chatbot: Chatbot) -> None:
    # A conversation can only be deleted while it has no settled turn: those belong to the ledger.
    turn = make_running_turn(chatbot, text="ana@example.com")
    scan_turn(turn=turn)
    Message.objects.filter(turn=turn).delete()
    Turn.objects.filter(id=turn.id).delete()
    Conversation.objects.filter(id=turn.conversation_id).delete()
    lead = Lead.objects.get(chatbot=chatbot)
    assert (lead.email, lead.conversation, lead.captured.count()) == ("ana@example.com", None, 0)


def test_metadata_lead_is_created_and_cites_its_message(chatbot: Chatbot) -> None:
    fields = parse_lead_metadata(
        {"lead": {"name": "Ana", "email": "ANA@example.com", "metadata": {"a": 1}}}
    )
    assert fields is not None
    turn = make_turn(chatbot, "Hello")
    lead = capture_from_metadata(turn=turn, fields=fields)
    assert (lead.name, lead.email, lead.source, lead.metadata) == (
        "Ana",
        "ana@example.com",
        "chat",
        {"a": 1},
    )
    assert citations(chatbot) == [
        ("email", "ana@example.com", "Hello"),
        ("name", "Ana", "Hello"),
    ]
    assert lead_events(chatbot.workspace) == [("lead.created", lead_payload(lead))]


def test_metadata_lead_overwrites_and_emits_an_event(chatbot: Chatbot) -> None:
    make_lead(chatbot, phone="+12025550143")
    fields: LeadFields = {"name": "Ana B", "email": "ana@example.com", "phone": "+442079460958"}
    capture_from_metadata(turn=make_turn(chatbot, "Hello"), fields=fields)
    assert saved_leads(chatbot) == [("Ana B", "ana@example.com", "+442079460958")]
    assert [event for event, _ in lead_events(chatbot.workspace)] == [
        "lead.created",
        "lead.updated",
    ]


def test_metadata_phone_updates_the_conversations_lead(chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "Hello")
    for fields in ({"phone": "+442079460958"}, {"phone": "+12025550143"}):
        capture_from_metadata(turn=turn, fields=LeadFields(phone=fields["phone"]))
    assert saved_leads(chatbot) == [("", None, "+12025550143")]


@pytest.mark.parametrize("metadata", [None, {}, {"lead": None}, {"source": "app"}])
def test_metadata_without_a_lead_returns_none(metadata: dict[str, object] | None) -> None:
    assert parse_lead_metadata(metadata) is None


@pytest.mark.parametrize(
    ("lead", "details"),
    [
        ("ana@example.com", {"metadata.lead": ["Send a JSON object."]}),
        ({}, {"metadata.lead": ["Give an email address or a phone number."]}),
        ({"name": "Ana"}, {"metadata.lead": ["Give an email address or a phone number."]}),
        ({"phone": "123"}, {"metadata.lead.phone": [
            "Give the phone number with its country's code, such as +44 20 7946 0958."
        ]}),
        ({"email": 1}, {"metadata.lead.email": ["This must be a string."]}),
        ({"email": "a@example.com", "id": "x"}, {
            "metadata.lead.id": ["This field is not known here."]
        }),
        ({"email": "a@example.com", "name": " "}, {
            "metadata.lead.name": ["This must have 1 to 200 characters."]
        }),
        ({"email": "a@example.com", "name": "A\nB"}, {"metadata.lead.name": [
            "This has a control character or half a surrogate pair in it."
        ]}),
        ({"email": "a@example.com", "metadata": []}, {
            "metadata.lead.metadata": ["This must be a JSON object."]
        }),
    ],
)  # fmt: skip
def test_invalid_metadata_lead_is_rejected(lead: object, details: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_lead_metadata({"lead": lead})
    assert refused.value.details == details
