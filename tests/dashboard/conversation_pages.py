"""Helpers for the tests of the conversation pages."""

from __future__ import annotations

from typing import Any

from django.test import Client

from apps.conversations.models import Turn
from tests.dashboard.page_client import (
    table_cells,
)
from tests.factories import Team


def url_of(team: Team, *rest: str) -> str:
    return "/".join((f"/w/{team.workspace.slug}/conversations", *rest))


def listed_titles(client: Client, team: Team, **filters: str) -> list[str]:
    """How the listed conversations begin."""
    return [row[0] for row in table_cells(client.get(url_of(team), filters).content.decode())]


def rate(client: Client, team: Team, turn: Turn, **fields: str) -> Any:
    url = url_of(team, turn.conversation_id, "messages", turn.message_id, "rating")
    return client.post(url, fields, follow=True)
