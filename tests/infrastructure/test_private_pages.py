"""Links that reset a password or join a workspace are in no log and no referrer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.infrastructure.logging import has_secret_path, mask_secret_paths
from tests.dashboard.page_client import login
from tests.factories import Team
from tests.infrastructure.conftest import Lines

TOKEN = "c0mx0-Secret~token.5x"
PATHS = [f"/password/reset/1b-{TOKEN}", f"/verify-email/{TOKEN}", f"/invitations/{TOKEN}"]
PUBLIC_PARAMETER = re.compile(r"slug|page|pk|month|path|object_id|app_label|id|[a-z_]+_id")
"""Parameters of addresses that are no secret: ids, names and months."""


def routes(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """Every address of the URL conf, with its parameters in <>."""
    for each in (resolver or get_resolver()).url_patterns:
        address = before + str(each.pattern)
        if isinstance(each, URLPattern):
            if not address.startswith("/admin/"):
                yield address
        else:
            yield from routes(each, address)


def secret_parameters(route: str) -> list[str]:
    names = re.findall(r"<(?:[a-z]+:)?([a-z0-9_]+)>", route)
    return [name for name in names if not PUBLIC_PARAMETER.fullmatch(name)]


def test_every_secret_of_the_url_conf_is_masked() -> None:
    """A new parameter is public by its name, or its address is added to the logging module."""
    secret = [route for route in routes() if secret_parameters(route)]
    paths = [re.sub(r"[\^$]|\(?(\?P)?<[^>]+>(\[[^)]*\))?", "", route) + TOKEN for route in secret]
    assert len(paths) == 3
    assert [path for path in paths if not has_secret_path(path)] == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{}/",
        "{}/more?next=x",
        "Not Found: {}",
        '{{"document-uri":"https://parley.example{}"}}',
        "Referer checking failed - https://parley.example{} does not match",
        "/login?next={}",
    ],
)
def test_secret_is_masked_in_any_text(path: str, text: str) -> None:
    encoded = path.replace("/", "%2F")
    for written in (path, encoded, path.upper(), encoded.lower()):
        assert TOKEN.lower() not in mask_secret_paths(text.format(written)).lower()


@pytest.mark.parametrize(
    "path",
    ["/password/reset", "/password/reset/sent", "/password/reset/done", "/verify-email", "/w/a/x"],
)
def test_other_addresses_are_logged_as_they_are(path: str) -> None:
    assert (mask_secret_paths(path), has_secret_path(path)) == (path, False)


@pytest.mark.parametrize("path", PATHS)
def test_secret_is_not_logged(db: None, lines: Lines, path: str) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(path)
    client.get(f"{path}/unknown")
    client.post(path, {}, headers={"referer": f"https://elsewhere.example{path}"})
    client.get("/login", {"next": path}, headers={"referer": f"http://testserver{path}"})
    address = f"http://testserver{path}?x={TOKEN}"
    report = {"csp-report": {"document-uri": address, "referrer": path}}
    client.post("/csp-reports", json.dumps(report), content_type="application/csp-report")
    logged = lines()
    assert {"request", "csp_report"} <= {line["event"] for line in logged}
    assert TOKEN not in json.dumps(logged)


@pytest.mark.parametrize("path", PATHS)
def test_secret_pages_are_in_no_referrer_and_no_cache(db: None, path: str) -> None:
    headers = Client().get(path).headers
    assert headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in headers["Cache-Control"]


def test_pages_of_a_session_are_not_stored(team: Team) -> None:
    client = login(team.alice)
    paths = ["/workspaces", f"/w/{team.workspace.slug}/", "/account/email", "/docs", "/nowhere"]
    policies: list[Any] = [client.get(path, follow=True).headers["Cache-Control"] for path in paths]
    assert [policy for policy in policies if "no-store" not in policy] == []
    assert "Cache-Control" not in Client().get("/docs").headers
