"""The demo's thirty days of history and its consistent ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Max, Min
from django.utils import timezone

from apps.api_kit.refusal_log import refused_requests_for
from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot
from apps.conversations.citations import cited_numbers
from apps.conversations.models import Citation, Conversation, Message, Rating, Turn, TurnStatus
from apps.conversations.models.export import Export
from apps.conversations.unanswered.queries import unanswered_questions
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.dashboard.request_inspector import inspect_request
from apps.demo.seed import seed_demo
from apps.knowledge.models import ChatbotKnowledgeBase, KnowledgeBase, Source
from apps.leads.models import Lead
from apps.workspaces.models import Workspace


@pytest.fixture(scope="module")
def seeded(module_transaction: None) -> Workspace:
    output = seed_demo(base_url="http://127.0.0.1:8000", model_api_base="", previous={})
    return Workspace.objects.get(slug=output["workspace"])


@pytest.fixture
def demo(seeded: Workspace, db: None) -> Workspace:
    """The seeded workspace. What the test changes is rolled back after it."""
    return seeded


def test_history_spans_a_month(demo: Workspace) -> None:
    turns = Turn.objects.filter(workspace=demo)
    span = turns.aggregate(first=Min("created_at"), last=Max("created_at"))
    now = timezone.now()
    assert timedelta(days=28) < now - span["first"] < timedelta(days=31)
    assert timedelta(0) < now - span["last"] < timedelta(days=1)
    assert Message.objects.filter(workspace=demo).count() > 2000
    assert Conversation.objects.filter(workspace=demo, turns=None).count() == 0
    assert Lead.objects.filter(workspace=demo).count() == 12
    assert set(turns.values_list("status", flat=True)) == {"completed", "stopped", "failed"}


def test_refused_requests_are_seeded(demo: Workspace) -> None:
    notes = refused_requests_for(demo.id)
    assert [note.code for note in notes][:2] == ["RATE_LIMIT_EXCEEDED"] * 2
    assert len(notes) == 6
    report = inspect_request(demo.id, notes[0].request_id)
    assert report is not None
    assert [step.title for step in report.stages if step.state == "refused"] == ["Rate limit"]
    turn = Turn.objects.filter(workspace=demo).latest("created_at")
    of_turn = inspect_request(demo.id, turn.request_id)
    assert of_turn is not None
    assert of_turn.turn == turn


def test_ledger_is_consistent(demo: Workspace) -> None:
    charges = LedgerEntry.objects.filter(workspace=demo, kind=EntryKind.CHARGE)
    paid = Turn.objects.filter(
        workspace=demo, status__in=[TurnStatus.COMPLETED, TurnStatus.STOPPED]
    )
    assert set(charges.values_list("turn_id", flat=True)) == set(paid.values_list("id", flat=True))
    assert balance_for(demo.id).balance == ledger_sum(demo.id)
    entries = LedgerEntry.objects.filter(workspace=demo).order_by("created_at", "id")
    balance = 0
    for amount, after in entries.values_list("amount", "balance_after"):
        balance += amount
        assert after == balance


def test_second_run_adds_nothing(demo: Workspace) -> None:
    def amounts() -> tuple[object, ...]:
        tables = (Turn, Source, Citation, ChatbotKnowledgeBase)
        return (*(table.objects.filter(workspace=demo).count() for table in tables),)

    before = amounts(), balance_for(demo.id)
    seed_demo(base_url="http://127.0.0.1:8000", model_api_base="", previous={})
    assert (amounts(), balance_for(demo.id)) == before


def test_shop_pages_are_attached_and_wait_for_the_worker(demo: Workspace) -> None:
    base = KnowledgeBase.objects.get(workspace=demo)
    sources = Source.objects.filter(workspace=demo, knowledge_base=base)
    assert set(sources.values_list("type", "status")) == {
        ("text", "pending"),
        ("qna", "pending"),
        ("file", "pending"),
    }
    attached = ChatbotKnowledgeBase.objects.filter(workspace=demo, knowledge_base=base)
    names = Chatbot.objects.filter(id__in=attached.values("chatbot_id"))
    assert set(names.values_list("name", flat=True)) == {"Order support", "Size advice"}


def test_questions_without_an_answer_are_listed(demo: Workspace) -> None:
    questions = {question.text for question in unanswered_questions(demo.id)}
    assert "Are your dyes free of PFAS?" in questions
    assert "Thanks, that helped!" not in questions


def test_answers_since_the_base_was_created_have_sources(demo: Workspace) -> None:
    base = KnowledgeBase.objects.get(workspace=demo)
    turns = Turn.objects.filter(workspace=demo).exclude(knowledge="")
    assert set(turns.values_list("knowledge", flat=True)) == {
        "found",
        "nothing_found",
        "unavailable",
    }
    assert turns.filter(created_at__lt=base.created_at).count() == 0
    citations = Citation.objects.filter(workspace=demo)
    assert set(citations.values_list("turn__knowledge", flat=True)) == {"found"}
    sources = Source.objects.filter(workspace=demo, knowledge_base=base).values("id")
    assert citations.exclude(source_id__in=sources).count() == 0
    found = turns.filter(knowledge="found", status="completed")
    answers = Message.objects.filter(turn__in=found, role="assistant")
    assert {cited_numbers(text) for text in answers.values_list("text", flat=True)} == {
        frozenset({1})
    }


def test_team_activity_is_seeded(demo: Workspace) -> None:
    exports = Export.objects.filter(workspace=demo).order_by("created_at")
    assert list(exports.values_list("status", "format")) == [
        ("completed", "jsonl"),
        ("completed", "csv"),
    ]
    assert all(export.rows > 10 for export in exports)
    assert set(Rating.objects.filter(workspace=demo).values_list("value", flat=True)) == {
        "up",
        "down",
    }
    log = AuditEntry.objects.filter(workspace=demo, action="lead.created")
    leads = Lead.objects.filter(workspace=demo)
    assert set(log.values_list("target_id", "created_at")) == set(
        leads.values_list("id", "created_at")
    )
