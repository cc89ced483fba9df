"""NUL and other control characters in addresses and forms are refused, by every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.contracts.admin.admin_rows import admin_url
from tests.dashboard.page_client import login
from tests.factories import Team, make_api_key, make_user

NUL, NEWLINE, QUOTED_NUL = "%00", "%0A", "_00"
PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


def page_addresses(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """The addresses of pages and operations with a parameter."""
    for each in (resolver or get_resolver()).url_patterns:
        address = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from page_addresses(each, address)
        elif PARAMETER.search(address) and "^" not in address:
            yield address


def filled(address: str, team: Team, last: str) -> str:
    """The address with this last parameter and a plausible value of the others."""
    *others, _ = PARAMETER.findall(address)
    for name in others:
        value = team.workspace.slug if name == "slug" else "c" * 25
        address = PARAMETER.sub(value, address, count=1)
    return PARAMETER.sub(f"c{last}x", address)


def test_control_characters_in_a_path_are_not_found(team: Team) -> None:
    owner = login(team.alice)
    boss = Client()
    boss.force_login(make_user("boss", is_staff=True, is_superuser=True))
    headers = {"Authorization": f"Bearer {make_api_key(team.workspace, ['read', 'manage'])}"}
    found: dict[str, int] = {}
    for address in page_addresses():
        client: Any = boss if address.startswith("/admin/") else owner
        extra: Any = {"headers": headers} if address.startswith("/api/") else {}
        for last in (NUL, QUOTED_NUL) if client is boss else (NUL, NEWLINE):
            path = filled(address, team, last)
            found[path] = client.get(path, **extra).status_code
    assert len(found) > 500
    assert {path: status for path, status in found.items() if status >= 500} == {}
    unquoted = [status for path, status in found.items() if QUOTED_NUL not in path]
    assert {status for status in unquoted if status not in (400, 401, 404, 405)} == set()


@pytest.mark.parametrize("name", ["q", "p", "o", "_to_field", "status__exact", "e", "x"])
def test_nul_in_a_query_of_the_admin_is_refused(db: None, name: str) -> None:
    boss = Client()
    boss.force_login(make_user("boss", is_staff=True, is_superuser=True))
    for model in list(admin.site._registry)[::6]:
        assert boss.get(admin_url(model, "changelist"), {name: "a\x00b"}).status_code == 400


def test_nul_in_a_query_of_a_page_is_refused(team: Team) -> None:
    owner = login(team.alice)
    for page in ("conversations", "leads", "audit", "requests"):
        assert owner.get(f"/w/{team.workspace.slug}/{page}", {"search": "\x00"}).status_code == 400
    assert Client().get("/login", {"next": "/\x00"}).status_code == 400


def test_nul_in_a_field_that_no_form_checks_is_refused(db: None) -> None:
    boss = Client()
    boss.force_login(make_user("boss", is_staff=True, is_superuser=True))
    for model in list(admin.site._registry)[::4]:
        form = {"action": "revoke", "_selected_action": ["a\x00b"], "select_across": "0"}
        assert boss.post(admin_url(model, "changelist"), form).status_code < 500
