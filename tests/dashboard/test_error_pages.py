"""Error pages of a workspace: with or without the layout, with the request id."""

from __future__ import annotations

from django.test import Client, RequestFactory

from apps.dashboard.access import get_member
from apps.infrastructure.web import error_pages
from tests.dashboard.page_client import clients_by_role, login, page_path
from tests.factories import Team


def test_member_sees_errors_in_the_layout_with_request_id(team: Team) -> None:
    page = login(team.alice).get(page_path(team.workspace, "chatbots/c-nothing"))
    assert (page.status_code, page.context["is_framed"]) == (404, True)
    assert page.context["request_id"] == page.headers["X-Request-Id"]
    assert page.headers["X-Request-Id"] in page.content.decode()
    assert page.context["layout"].groups[0].pages[0].title == "Overview"


def test_missing_permission_is_explained_in_the_layout(team: Team) -> None:
    page = clients_by_role(team)["viewer"].get(page_path(team.workspace, "chatbots/new"))
    assert (page.status_code, page.context["is_framed"]) == (403, True)
    assert page.context["error"].message == "Your role here does not allow this."
    assert "Your role is viewer." in page.content.decode()


def test_outsider_sees_errors_without_the_layout(team: Team) -> None:
    page = login(team.charlie).get(page_path(team.workspace, "chatbots"))
    assert (page.status_code, page.context["is_framed"]) == (404, False)
    assert team.workspace.name not in page.content.decode()


def test_server_error_does_not_render_the_layout(team: Team) -> None:
    request = RequestFactory().get(page_path(team.workspace, "chatbots"))
    request.user = team.alice
    request.member = get_member(team.alice, slug=team.workspace.slug)  # type: ignore[attr-defined]
    page = error_pages.server_error(request)
    assert page.status_code == 500
    assert team.workspace.name not in page.content.decode()


def test_csrf_failure_is_explained(team: Team) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(team.alice)
    page = browser.post(page_path(team.workspace, "chatbots/new"), {"name": "x"})
    assert page.status_code == 403
    assert "This form is out of date." in page.context["error"].message
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
