"""Lists of leads: filters, search and pagination."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.chatbots.models import Chatbot
from apps.leads.models import Lead
from apps.leads.payloads import lead_payload
from apps.leads.queries import lead_page, leads_for
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_lead, make_scanned_conversation

PEOPLE = [("Ana Öberg", "ana@example.com"), ("Bo", "bo_b@mail.example"), ("", "cy@example.com")]


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    chatbot = make_chatbot(team.workspace)
    for name, email in PEOPLE:
        make_lead(chatbot, name=name, email=email)
    make_lead(make_chatbot(team.other_workspace), name="Ana", email="ana@example.com")
    return chatbot


@pytest.mark.parametrize(
    ("search", "emails"),
    [
        ("ANA", ["ana@example.com"]),
        ("öBERG", ["ana@example.com"]),
        ("mail.ex", ["bo_b@mail.example"]),
        ("example", ["ana@example.com", "bo_b@mail.example", "cy@example.com"]),
        ("o_b", ["bo_b@mail.example"]),
        ("%", []),
        ("a_a", []),
        ("an", ["ana@example.com"]),
        ("be", []),
        ("nobody", []),
        ("", ["ana@example.com", "bo_b@mail.example", "cy@example.com"]),
    ],
)
def test_search_matches_names_and_emails(chatbot: Chatbot, search: str, emails: list[str]) -> None:
    leads = leads_for(chatbot.workspace_id, search=search)
    assert sorted(str(lead.email) for lead in leads) == emails


def test_filters_are_combined(chatbot: Chatbot) -> None:
    Lead.objects.filter(email="cy@example.com").update(status="lost", source="fair")
    workspace_id = chatbot.workspace_id
    counts = [
        leads_for(workspace_id, status="lost").count(),
        leads_for(workspace_id, source="fair", search="cy@").count(),
        leads_for(workspace_id, status="new", source="fair").count(),
        leads_for(workspace_id, chatbot_id=chatbot.id).count(),
        leads_for(workspace_id, chatbot_id=make_chatbot(chatbot.workspace).id).count(),
    ]
    assert counts == [1, 1, 0, 3, 0]


def test_pages_list_every_lead_once_newest_first(chatbot: Chatbot) -> None:
    pages = [lead_page(leads_for(chatbot.workspace_id), page=page, limit=2) for page in (1, 2, 3)]
    assert [[lead.email for lead in page.leads] for page in pages] == [
        ["cy@example.com", "bo_b@mail.example"],
        ["ana@example.com"],
        [],
    ]
    assert [(page.total, page.total_pages) for page in pages] == [(3, 2)] * 3


def test_list_runs_a_constant_number_of_queries(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    counts = []
    for more in (1, 2):
        for number in range(more):
            make_scanned_conversation(chatbot, f"person{more}{number}@example.com")
        with CaptureQueriesContext(connection) as queries:
            page = lead_page(leads_for(team.workspace.id), page=1, limit=10)
            assert all(lead_payload(lead)["captured"] for lead in page.leads)
        counts.append((len(page.leads), len(queries)))
    assert counts == [(1, 3), (3, 3)]


def test_search_uses_the_trigram_index(chatbot: Chatbot) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO leads_lead (id, workspace_id, chatbot_id, name, email, phone, source,"
            " status, metadata) SELECT 'c' || n, %s, %s, md5(n::text), n || '@example.com', '',"
            " 'api', 'new', '{}' FROM generate_series(1, 2000) AS n",
            [chatbot.workspace_id, chatbot.id],
        )
        # New rows wait in a list that the planner takes for costly to read.
        cursor.execute("SELECT gin_clean_pending_list('leads_search'); ANALYZE leads_lead")
        cursor.execute("SET LOCAL enable_seqscan = off")
    for search in ("zoe", "zo"):
        plan = leads_for(chatbot.workspace_id, search=search).explain()
        assert plan.count("Bitmap Index Scan on leads_search") == 2
