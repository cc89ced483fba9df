"""Leads in the staff admin: found by their very name, address or number, and inert whatever they
call themselves."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import Team, make_chatbot, make_user
from tests.leads.lead_factory import made

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LIST = "/admin/leads/lead/"


@pytest.fixture
def staff(team: Team) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ana SILVA", ["Ana Silva"]),
        ("BO@example.com", ["Bo"]),
        ("+442079460958", ["Bo"]),
        ("bo@", []),
    ],
)
def test_lead_is_found(staff: Client, team: Team, search: str, found: list[str]) -> None:
    chatbot = make_chatbot(team.workspace)
    made(chatbot, name="Ana Silva")
    made(chatbot, name="Bo", email="bo@example.com", phone="+442079460958")
    page = staff.get(LIST, {"q": search})
    assert [lead.name for lead in page.context["cl"].queryset] == found


def test_scripts_in_a_lead_stay_inert(staff: Client, team: Team) -> None:
    lead = made(make_chatbot(team.workspace), name=SCRIPT, source=SCRIPT, metadata={"a": SCRIPT})
    shown = [staff.get(path).content.decode() for path in (LIST, f"{LIST}{lead.id}/change/")]
    assert [("&lt;script&gt;alert(1)" in page, "<script>alert" in page) for page in shown] == [
        (True, False)
    ] * 2
    assert ["<img src=x" in page for page in shown] == [False, False]
