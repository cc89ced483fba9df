"""The filter forms of the lists have all their fields."""

from __future__ import annotations

import re

import pytest

from tests.dashboard.page_client import login, page_path
from tests.factories import Team


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        (
            "conversations",
            ["search", "chatbot_id", "status", "since", "until", "source", "rated", "has_lead"],
        ),
        ("leads", ["search", "status", "source", "chatbot_id"]),
        ("audit", ["who", "what", "since", "until"]),
        ("credits", ["kind", "since", "until"]),
    ],
)
def test_filter_form_has_every_field(team: Team, page: str, fields: list[str]) -> None:
    html = login(team.alice).get(page_path(team.workspace, page)).content.decode()
    bar = html.partition('<form class="filters"')[2].partition("</form>")[0]
    assert re.findall(r' name="(\w+)"', bar) == fields
