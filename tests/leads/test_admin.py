"""Leads in the staff admin: found by id or workspace, read for a reason, and escaped."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.audit.models import AuditEntry
from apps.leads.models import Lead
from tests.factories import Team, make_chatbot, make_user
from tests.leads.lead_factory import make_lead

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LIST = "/admin/leads/lead/"
REASON = "Ticket 4711: erase this person"


@pytest.fixture
def staff(team: Team) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def lead(team: Team) -> Lead:
    return make_lead(
        make_chatbot(team.workspace),
        name="Bo Silva",
        email="bo@example.com",
        phone="+442079460958",
        source=SCRIPT,
        metadata={"a": SCRIPT},
    )


def page_text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize("search", ["Bo Silva", "bo@example.com", "+442079460958", "Bo"])
def test_search_does_not_tell_who_is_a_lead(staff: Client, lead: Lead, search: str) -> None:
    page = staff.get(LIST, {"q": search})
    assert list(page.context["cl"].queryset) == []


def test_search_finds_leads_by_id_or_workspace(staff: Client, team: Team, lead: Lead) -> None:
    for search in (lead.id, team.workspace.slug):
        assert list(staff.get(LIST, {"q": search}).context["cl"].queryset) == [lead]


def test_contact_details_need_a_reason(staff: Client, lead: Lead) -> None:
    read = f"{LIST}{lead.id}/read/"
    pages = [staff.get(LIST), staff.get(f"{LIST}{lead.id}/change/"), staff.get(read)]
    pages += [staff.post(read, {"reason": reason}) for reason in ("", "because", " " * 40)]
    for word in ("Silva", "bo@example.com", "2079460958", "alert(1)"):
        assert [word in page_text(page) for page in pages] == [False] * 6
    assert not AuditEntry.objects.filter(action="lead.read").exists()


def test_reason_shows_the_lead_and_is_audited(staff: Client, lead: Lead) -> None:
    text = page_text(staff.post(f"{LIST}{lead.id}/read/", {"reason": REASON}))
    assert [word in text for word in ("Bo Silva", "bo@example.com", "+442079460958")] == [True] * 3
    (entry,) = AuditEntry.objects.filter(action="lead.read")
    assert (entry.workspace_id, entry.target_id, entry.actor_kind, entry.details) == (
        lead.workspace_id,
        lead.id,
        "staff",
        {"reason": REASON},
    )


def test_html_in_a_lead_is_escaped(staff: Client, lead: Lead) -> None:
    text = page_text(staff.post(f"{LIST}{lead.id}/read/", {"reason": REASON}))
    assert ("&lt;script&gt;alert(1)" in text, "<script>alert" in text, "<img src=x" in text) == (
        True,
        False,
        False,
    )


def test_reading_leads_needs_its_permission(lead: Lead) -> None:
    user = make_user("finance", is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    client = Client()
    client.force_login(user)
    assert client.post(f"{LIST}{lead.id}/read/", {"reason": REASON}).status_code == 403
