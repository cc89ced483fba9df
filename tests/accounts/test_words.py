"""The pages around an account speak as the others do."""

from __future__ import annotations

import re

from tests.accounts.visiting import visitor
from tests.factories import Team


def test_labels_are_in_sentence_case_and_nothing_repeats_them(team: Team) -> None:
    client = visitor()
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
    assert page.count("At least 8 characters, and not a common one.") == 1
