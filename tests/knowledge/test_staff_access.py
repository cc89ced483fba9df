"""Staff need a reason to read a source, which the owner sees in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.audit.queries import entries_for
from apps.knowledge.models import Source
from tests.dashboard.page_client import login
from tests.factories import Team, make_chatbot, make_user
from tests.knowledge.knowledge_factory import make_knowledge

TEXT = "Our <b>secret</b> recipe"
REASON = "Ticket 4711: nothing is found"


@pytest.fixture
def source(team: Team) -> Source:
    return make_knowledge(make_chatbot(team.workspace), text=TEXT)


def staff(group: str) -> Client:
    user = make_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return login(user)


def page_of(client: Client, source: Source, *, reason: str | None = None) -> Any:
    address = reverse("admin:knowledge_source_read", args=[source.id])
    return client.get(address) if reason is None else client.post(address, {"reason": reason})


def readings(source: Source) -> list[tuple[str, dict[str, Any]]]:
    entries = entries_for(source.workspace_id).filter(action="source.read")
    return list(entries.values_list("target_label", "details"))


@pytest.mark.parametrize("reason", [None, "", "because", " " * 40])
def test_source_needs_a_reason(source: Source, reason: str | None) -> None:
    page = page_of(staff("support"), source, reason=reason)
    assert (page.status_code, page.context["reading"]) == (200, None)
    assert ("recipe" in page.content.decode(), readings(source)) == (False, [])


def test_reason_shows_the_source_and_is_audited(source: Source) -> None:
    page = page_of(staff("support"), source, reason=REASON)
    assert [chunk.text for chunk in page.context["reading"].chunks] == [TEXT]
    assert page.content.decode().count("Our &lt;b&gt;secret&lt;/b&gt; recipe") == 3
    assert TEXT not in page.content.decode()
    assert readings(source) == [("File", {"reason": REASON})]


def test_finance_cannot_read_sources(source: Source) -> None:
    assert page_of(staff("finance"), source, reason=REASON).status_code == 403
    assert readings(source) == []
