"""The public pages."""

from __future__ import annotations

from django.conf import LazySettings
from django.test import Client

from apps.knowledge.fetching.types import user_agent


def test_bot_page_is_public(settings: LazySettings) -> None:
    """The user agent leads to it. No database is needed."""
    settings.PUBLIC_URL = "https://parley.example"
    settings.DEFAULT_FROM_EMAIL = "Parley <parley@parley.example>"
    agent = user_agent()
    assert agent == "ParleyBot/1.0 (+https://parley.example/bot)"
    page = Client().get("/bot").content.decode()
    for part in (agent, "User-agent: ParleyBot", "mailto:parley@parley.example", "noindex"):
        assert part in page
    settings.FETCH_CONTACT = "crawler@parley.example"
    assert "mailto:crawler@parley.example" in Client().get("/bot").content.decode()
