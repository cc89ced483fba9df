"""Leads: the list and its pipeline, a lead and where it was said, changes, CSV."""

from __future__ import annotations

import csv
from io import StringIO

import httpx
import pytest
from django.test import Client

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, LeadCapture
from apps.leads.models import Lead
from tests.dashboard.page_client import (
    cells_of,
    path,
    queries_at_1_and_50,
    says,
    signed_in,
    text_of,
)
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import made, read
from tests.web_processes import TLS, WebProcess


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace, name="Support")


@pytest.fixture
def bob(team: Team) -> Client:
    return signed_in(team.bob)


def names(client: Client, team: Team, **filters: str) -> list[str]:
    html = client.get(path(team.workspace, "leads"), filters).content.decode()
    return [row[0] for row in cells_of(html)]


def pipeline(html: str) -> str:
    return text_of(html.partition('id="pipeline"')[2].partition("</nav>")[0]).removeprefix("> ")


def test_list_is_filtered_by_status_source_chatbot_and_search(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    made(chatbot, name="Ana", email="ana@example.com", status="qualified")
    made(chatbot, name="Ben", email="ben@example.org", source="fair")
    made(make_chatbot(team.workspace), name="Cem", email="cem@example.net")
    made(make_chatbot(team.outside), name="Not yours")
    assert names(bob, team) == ["Cem", "Ben", "Ana"]
    assert names(bob, team, status="qualified") == ["Ana"]
    assert names(bob, team, source="fair") == ["Ben"]
    assert names(bob, team, chatbot_id=chatbot.id) == ["Ben", "Ana"]
    assert names(bob, team, search="EXAMPLE.net") == ["Cem"]
    assert names(bob, team, status="lost") == []
    html = bob.get(path(team.workspace, "leads")).content.decode()
    assert pipeline(html) == (
        'aria-label="Pipeline"> All 3 New 2 Contacted 0 Qualified 1 Converted 0 Lost 0 Follow up 0'
    )


def test_lead_is_moved_in_place_and_the_pipeline_counts_anew(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    lead = made(chatbot, name="Ana")
    address = path(team.workspace, f"leads/{lead.id}/status")
    answer = bob.post(address, {"status": "contacted"}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert text_of(html) == (
        "All 1 New 0 Contacted 1 Qualified 0 Converted 0 Lost 0 Follow up 0 Ana is now contacted. ✕"
    )
    lead.refresh_from_db()
    assert lead.status == "contacted"
    entry = AuditEntry.objects.get(action="lead.updated")
    assert (entry.actor_label, entry.target_id) == (team.bob.email, lead.id)
    assert bob.post(address, {"status": "nonsense"}).status_code == 422
    assert bob.post(address, {"status": "lost"}).headers["Location"] == path(
        team.workspace, "leads"
    )


def test_lead_shows_the_messages_in_which_it_was_said(team: Team, bob: Client) -> None:
    chatbot = make_chatbot(team.workspace, lead_capture=LeadCapture.DETECT)
    conversation = read(chatbot, "I am at <b>ana@example.com</b>, thanks")
    lead = Lead.objects.get(workspace=team.workspace)
    html = bob.get(path(team.workspace, f"leads/{lead.id}")).content.decode()
    assert "I am at <b>ana@example.com</b>, thanks" in text_of(html)
    message = lead.captured.get().message
    place = path(team.workspace, f"conversations/{conversation.id}")
    assert f'href="{place}#message-{message.id}"' in html
    assert f'href="{place}"' in html
    assert "Email: ana@example.com , just now" in text_of(html)
    assert f'id="message-{message.id}"' in bob.get(place).content.decode()


def test_lead_is_changed_by_the_form(team: Team, bob: Client, chatbot: Chatbot) -> None:
    lead = made(chatbot, name="Ana", phone="+442079460958")
    made(chatbot, name="Ben", email="ben@example.com")
    address = path(team.workspace, f"leads/{lead.id}/edit")
    form = {"name": " Ana B ", "email": "ANA@example.org", "source": "fair", "status": "lost"}
    answer = bob.post(address, form, follow=True)
    assert says(answer) == ["Saved."]
    lead.refresh_from_db()
    assert (lead.name, lead.email, lead.phone, lead.source, lead.status) == (
        "Ana B",
        "ana@example.org",
        "",
        "fair",
        "lost",
    )

    def refused(**fields: str) -> dict[str, list[str]]:
        answer = bob.post(address, form | fields)
        assert answer.status_code == 422
        return dict(answer.context["form"].errors)

    assert refused(email="") == {"email": ["An email address can be changed, not taken away."]}
    assert refused(email="ben@example.com") == {
        "email": ["Another lead of this chatbot has this email address."]
    }
    assert refused(phone="12") == {
        "phone": ["Give the phone number with its country's code, such as +44 20 7946 0958."]
    }
    assert refused(source="") == {"source": ["This field is required."]}
    lead.refresh_from_db()
    assert lead.email == "ana@example.org"


def test_lead_is_deleted(team: Team, bob: Client, chatbot: Chatbot) -> None:
    lead = made(chatbot, name="Ana")
    answer = bob.post(path(team.workspace, f"leads/{lead.id}/delete"), follow=True)
    assert says(answer) == ["Ana is deleted."]
    assert not Lead.objects.filter(workspace=team.workspace).exists()


@pytest.mark.parametrize("page", ["", "/edit", "/status", "/delete"])
def test_lead_that_is_not_there_is_404(team: Team, bob: Client, page: str) -> None:
    foreign = made(make_chatbot(team.outside))
    for id in ("nonsense", "c" + 24 * "0", "%00", foreign.id):
        address = path(team.workspace, f"leads/{id}{page}")
        answer = bob.post(address, {"status": "lost"}) if page else bob.get(address)
        assert answer.status_code == 404, id
    foreign.refresh_from_db()
    assert foreign.status == "new"


def test_leads_leave_as_csv_with_inert_cells(web: WebProcess, live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace, name="+Support")
    made(chatbot, name="=cmd()", email="ana@example.com", phone="+442079460958")
    made(chatbot, name="Ben", email="ben@example.com", status="lost")
    cookie = signed_in(live_team.bob).cookies["sessionid"].value
    answer = httpx.get(
        web.url + path(live_team.workspace, "leads.csv"),
        params={"status": "new"},
        headers={"Cookie": f"sessionid={cookie}"},
        verify=TLS,
    )
    [row] = csv.DictReader(StringIO(answer.text, newline=""))
    assert (row["name"], row["email"], row["phone"], row["chatbot"]) == (
        "'=cmd()",
        "ana@example.com",
        "'+442079460958",
        "'+Support",
    )


def test_empty_list_says_how_leads_come(team: Team, bob: Client) -> None:
    html = bob.get(path(team.workspace, "leads")).content.decode()
    assert "No lead yet" in text_of(html)


def test_list_takes_as_many_statements_for_50_rows_as_for_1(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    number = iter(range(50))

    def more(times: int) -> None:
        for _ in range(times):
            made(chatbot, email=f"a{next(number)}@example.com")

    assert queries_at_1_and_50(bob, path(team.workspace, "leads"), more) == (10, 10)
