"""Leads in the staff admin: exact search, and escaping."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import Team, make_chatbot, make_user
from tests.leads.lead_factory import make_lead

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LIST = "/admin/leads/lead/"


@pytest.fixture
def staff(team: Team) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("ana SILVA", ["Ana Silva"]),
        ("BO@example.com", ["Bo"]),
        ("+442079460958", ["Bo"]),
        ("bo@", []),
    ],
)
def test_search_finds_leads_by_name_email_or_phone(
    staff: Client, team: Team, search: str, names: list[str]
) -> None:
    chatbot = make_chatbot(team.workspace)
    make_lead(chatbot, name="Ana Silva")
    make_lead(chatbot, name="Bo", email="bo@example.com", phone="+442079460958")
    page = staff.get(LIST, {"q": search})
    assert [lead.name for lead in page.context["cl"].queryset] == names


def test_html_in_a_lead_is_escaped(staff: Client, team: Team) -> None:
    lead = make_lead(
        make_chatbot(team.workspace), name=SCRIPT, source=SCRIPT, metadata={"a": SCRIPT}
    )
    shown = [staff.get(path).content.decode() for path in (LIST, f"{LIST}{lead.id}/change/")]
    assert [("&lt;script&gt;alert(1)" in page, "<script>alert" in page) for page in shown] == [
        (True, False)
    ] * 2
    assert ["<img src=x" in page for page in shown] == [False, False]
