"""Leads: list, pipeline, one lead, edits and CSV."""

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
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.web_processes import SSL_CONTEXT, WebProcess


def listed_names(client: Client, team: Team, **filters: str) -> list[str]:
    html = client.get(page_path(team.workspace, "leads"), filters).content.decode()
    return [row[0] for row in table_cells(html)]


def pipeline_text(html: str) -> str:
    return visible_text(html.partition('id="pipeline"')[2].partition("</nav>")[0]).removeprefix(
        "> "
    )


def test_list_is_filtered_by_status_source_chatbot_and_search(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    make_lead(chatbot, name="Ana", email="ana@example.com", status="qualified")
    make_lead(chatbot, name="Ben", email="ben@example.org", source="fair")
    make_lead(make_chatbot(team.workspace), name="Cem", email="cem@example.net")
    make_lead(make_chatbot(team.other_workspace), name="Not yours")
    assert listed_names(bob, team) == ["Cem", "Ben", "Ana"]
    assert listed_names(bob, team, status="qualified") == ["Ana"]
    assert listed_names(bob, team, source="fair") == ["Ben"]
    assert listed_names(bob, team, chatbot_id=chatbot.id) == ["Ben", "Ana"]
    assert listed_names(bob, team, search="EXAMPLE.net") == ["Cem"]
    assert listed_names(bob, team, status="lost") == []
    html = bob.get(page_path(team.workspace, "leads")).content.decode()
    assert pipeline_text(html) == (
        'aria-label="Pipeline"> All 3 New 2 Contacted 0 Qualified 1 Converted 0 Lost 0 Follow up 0'
    )


def test_status_change_updates_the_pipeline(team: Team, bob: Client, chatbot: Chatbot) -> None:
    lead = make_lead(chatbot, name="Ana")
    address = page_path(team.workspace, f"leads/{lead.id}/status")
    answer = bob.post(address, {"status": "contacted"}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert visible_text(html) == (
        "All 1 New 0 Contacted 1 Qualified 0 Converted 0 Lost 0 Follow up 0 Ana is now contacted. ✕"
    )
    lead.refresh_from_db()
    assert lead.status == "contacted"
    entry = AuditEntry.objects.get(action="lead.updated")
    assert (entry.actor_label, entry.target_id) == (team.bob.email, lead.id)
    assert bob.post(address, {"status": "nonsense"}).status_code == 422
    assert bob.post(address, {"status": "lost"}).headers["Location"] == page_path(
        team.workspace, "leads"
    )


def test_lead_shows_its_source_messages(team: Team, bob: Client) -> None:
    chatbot = make_chatbot(team.workspace, lead_capture=LeadCapture.DETECT)
    conversation = make_scanned_conversation(chatbot, "I am at <b>ana@example.com</b>, thanks")
    lead = Lead.objects.get(workspace=team.workspace)
    html = bob.get(page_path(team.workspace, f"leads/{lead.id}")).content.decode()
    assert "I am at <b>ana@example.com</b>, thanks" in visible_text(html)
    message = lead.captured.get().message
    conversation_url = page_path(team.workspace, f"conversations/{conversation.id}")
    assert f'href="{conversation_url}#message-{message.id}"' in html
    assert f'href="{conversation_url}"' in html
    assert "Email: ana@example.com , just now" in visible_text(html)
    assert f'id="message-{message.id}"' in bob.get(conversation_url).content.decode()


def test_lead_is_edited(team: Team, bob: Client, chatbot: Chatbot) -> None:
    lead = make_lead(chatbot, name="Ana", phone="+442079460958")
    make_lead(chatbot, name="Ben", email="ben@example.com")
    address = page_path(team.workspace, f"leads/{lead.id}/edit")
    form = {"name": " Ana B ", "email": "ANA@example.org", "source": "fair", "status": "lost"}
    answer = bob.post(address, form, follow=True)
    assert shown_messages(answer) == ["Changes saved."]
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

    assert refused(email="") == {"email": ["You can change the email address but not remove it."]}
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
    lead = make_lead(chatbot, name="Ana")
    answer = bob.post(page_path(team.workspace, f"leads/{lead.id}/delete"), follow=True)
    assert shown_messages(answer) == ["Ana deleted."]
    assert not Lead.objects.filter(workspace=team.workspace).exists()


@pytest.mark.parametrize("page", ["", "/edit", "/status", "/delete"])
def test_unknown_lead_is_not_found(team: Team, bob: Client, page: str) -> None:
    foreign = make_lead(make_chatbot(team.other_workspace))
    for id in ("nonsense", "c" + 24 * "0", "%00", foreign.id):
        address = page_path(team.workspace, f"leads/{id}{page}")
        answer = bob.post(address, {"status": "lost"}) if page else bob.get(address)
        assert answer.status_code == 404, id
    foreign.refresh_from_db()
    assert foreign.status == "new"


def test_csv_has_no_formulas(web: WebProcess, live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace, name="+Support")
    name = "=cmd() Jürgen 山田"
    make_lead(chatbot, name=name, email="ana@example.com", phone="+442079460958")
    make_lead(chatbot, name="Ben", email="ben@example.com", status="lost")
    cookie = login(live_team.bob).cookies["sessionid"].value
    answer = httpx.get(
        web.url + page_path(live_team.workspace, "leads.csv"),
        params={"status": "new"},
        headers={"Cookie": f"sessionid={cookie}"},
        verify=SSL_CONTEXT,
    )
    assert answer.content.startswith(b"\xef\xbb\xbf")  # or Excel shows other letters
    [row] = csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row["name"], row["email"], row["phone"], row["chatbot"]) == (
        f"'{name}",
        "ana@example.com",
        "+442079460958",
        "'+Support",
    )


def test_empty_list_explains_lead_capture(team: Team, bob: Client) -> None:
    html = bob.get(page_path(team.workspace, "leads")).content.decode()
    assert "No leads yet" in visible_text(html)


def test_query_count_is_constant(team: Team, bob: Client, chatbot: Chatbot) -> None:
    number = iter(range(50))

    def more(times: int) -> None:
        for _ in range(times):
            make_lead(chatbot, email=f"a{next(number)}@example.com")

    assert count_queries_at_1_and_50_rows(bob, page_path(team.workspace, "leads"), more) == (10, 10)
