"""Texts of the account pages."""

from __future__ import annotations

import re

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.utils import timezone

from tests.accounts.browser_session import new_browser
from tests.factories import Team


def test_labels_are_in_sentence_case_without_placeholders(team: Team) -> None:
    client = new_browser()
    page = client.get("/login").content.decode()
    assert re.findall(r"<label[^>]*>([^<]+)</label>", page)[:2] == ["Email", "Password"]
    assert "placeholder" not in page
    client.force_login(team.alice)
    page = client.get("/account/password").content.decode()
    assert re.findall(r"<label[^>]*>([^<]+)</label>", page) == [
        "Current password",
        "New password",
        "New password (again)",
    ]
    assert page.count("At least 8 characters. Avoid common passwords.") == 1


def test_second_factor_page_shows_the_date_of_setup(team: Team) -> None:
    TOTP.activate(team.alice, generate_totp_secret())
    client = new_browser()
    client.force_login(team.alice)
    page = client.get("/account/2fa").content.decode()
    assert f"Enabled on {timezone.now():%-d %B %Y}." in page
