"""Sign-in forms that are sent after signing in, or out, in another tab."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from tests.accounts.browser_session import PASSWORD, is_signed_in, new_browser

pytestmark = pytest.mark.usefixtures("db")


def make_user() -> User:
    user = User.objects.create_user(f"dana-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=user)
    return user


def form_token(client: Client, path: str) -> str:
    """The token of a form, as a tab has it from when it was opened."""
    found = re.search(
        'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(path).content.decode()
    )
    assert found
    return found[1]


def submit(client: Client, path: str, token: str, email: str, **fields: str) -> str:
    """Send the log-in form. Returns where it leads, or its status."""
    form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": token, **fields}
    answer = client.post(path, form)
    return answer.headers.get("Location", str(answer.status_code))


def test_second_tab_at_the_login_page_leads_to_the_workspace() -> None:
    user, client = make_user(), new_browser(enforce_csrf_checks=True)
    tokens = [form_token(client, "/login") for _ in range(2)]
    assert [submit(client, "/login", token, user.email) for token in tokens] == ["/workspaces"] * 2
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ("/account/sessions", "/account/sessions"),
        ("https://evil.example/", "/workspaces"),
        ("//evil.example/", "/workspaces"),
        ("javascript:alert(1)", "/workspaces"),
    ],
)
def test_second_tab_leads_where_its_form_leads(following: str, expected: str) -> None:
    user, client = make_user(), new_browser(enforce_csrf_checks=True)
    first, second = (form_token(client, "/login") for _ in range(2))
    submit(client, "/login", first, user.email)
    assert submit(client, "/login", second, user.email, next=following) == expected


@pytest.mark.parametrize("name", sorted(settings.SIGN_IN_FORMS))
def test_every_sign_in_form_is_forgiving_to_who_is_signed_in(name: str) -> None:
    arguments = {"uidb36": "a", "key": "b-c"} if name.endswith("from_key") else {}
    path = reverse(name, kwargs=arguments)
    user, client = make_user(), new_browser(enforce_csrf_checks=True)
    token, late = (form_token(client, "/login") for _ in range(2))
    submit(client, "/login", token, user.email)
    assert submit(client, path, late, user.email) == "/workspaces"


def test_late_form_of_a_visitor_is_shown_again() -> None:
    user, client = make_user(), new_browser(enforce_csrf_checks=True)
    first, second = (form_token(client, "/login?next=/account/email") for _ in range(2))
    submit(client, "/login", first, user.email)
    client.post("/logout", {"csrfmiddlewaretoken": form_token(client, "/logout")})
    path = "/login?next=/account/email"
    assert submit(client, path, second, user.email) == path
    page = client.get(path).content.decode()
    assert "This form was out of date. Fill it in again." in page
    assert submit(client, path, form_token(client, path), user.email) == "/account/email"


def test_form_without_cookies_is_refused() -> None:
    client = new_browser(enforce_csrf_checks=True)
    assert submit(client, "/login", "x" * 64, "dana@example.com") == "403"
