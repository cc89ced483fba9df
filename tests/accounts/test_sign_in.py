"""Sign-up, login, logout, email addresses and sessions."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.queries import entries_for
from apps.credits.models import Account
from apps.credits.queries import balance_for, ledger_sum
from apps.workspaces.models import Member, Workspace
from tests.accounts.browser_session import (
    PASSWORD,
    confirm_password,
    emailed_link,
    form_errors,
    is_signed_in,
    log_in,
    make_registered_user,
    new_browser,
    new_email,
    sent_emails,
    sign_up,
)
from tests.dashboard.page_client import visible_text

pytestmark = pytest.mark.usefixtures("empty_queue")


def test_sign_up_creates_a_workspace_and_sends_a_verification() -> None:
    client, email = new_browser(), new_email()
    response = sign_up(client, email.upper(), "Acme Inc.")
    assert (response.status_code, response.headers["Location"]) == (302, "/verify-email")
    assert is_signed_in(client) is False
    member = Member.objects.get(user__email=email)
    account = Account.objects.get(workspace=member.workspace)
    assert (member.role, member.workspace.name) == ("owner", "Acme Inc.")
    assert account.plan is not None
    assert (account.plan.slug, account.balance) == ("free", account.plan.monthly_credits)
    assert ledger_sum(member.workspace_id) == account.balance
    (entry,) = entries_for(member.workspace_id)
    assert (entry.action, entry.actor_label) == ("workspace.created", email)
    assert sent_emails() == [(email, "Confirm your email address")]


def test_verification_link_logs_in_the_same_browser() -> None:
    client, email = new_browser(), new_email()
    sign_up(client, email)
    link = emailed_link()
    assert client.get(link).status_code == 200  # mail scanners follow links with GET
    assert is_signed_in(client) is False
    response = client.post(link, follow=True)
    workspace = Workspace.objects.get(members__user__email=email)
    assert response.redirect_chain[-1] == (f"/w/{workspace.slug}/", 302)
    assert is_signed_in(client) is True


def test_verification_link_logs_in_no_other_browser() -> None:
    client, email = new_browser(), new_email()
    sign_up(client, email)
    link, other = emailed_link(), new_browser()
    assert other.post(link).headers["Location"] == "/login"
    assert is_signed_in(other) is False
    assert "This link isn't valid" in other.get(link).content.decode()
    assert log_in(client, email).headers["Location"] == "/workspaces"


def test_login_requires_a_verified_address() -> None:
    client, user = new_browser(), make_registered_user(is_verified=False)
    assert log_in(client, user.email).headers["Location"] == "/verify-email"
    assert is_signed_in(client) is False
    assert sent_emails() == [(user.email, "Confirm your email address")]


def test_sign_up_with_a_known_address_only_emails_its_owner() -> None:
    user, client = make_registered_user(), new_browser()
    before = Workspace.objects.count()
    response = sign_up(client, user.email.title())
    assert (response.status_code, response.headers["Location"]) == (302, "/verify-email")
    assert sent_emails() == [(user.email, "You already have a Parley account")]
    assert (Workspace.objects.count(), is_signed_in(client)) == (before, False)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": "nobody"}, ["email"]),
        ({"password1": "short"}, ["password1"]),
        ({"password1": "12345678901"}, ["password1"]),
        ({"workspace_name": ""}, ["workspace_name"]),
        ({"workspace_name": "   "}, ["workspace_name"]),
        ({"workspace_name": "x" * 121}, ["workspace_name"]),
        ({"workspace_name": "a\x00b"}, ["workspace_name"]),
    ],
)
def test_invalid_sign_up_creates_nothing(fields: dict[str, str], wrong: list[str]) -> None:
    people, workspaces = User.objects.count(), Workspace.objects.count()
    form: dict[str, str] = {"email": new_email(), **fields}
    response = sign_up(new_browser(), workspace=None, **form)
    if "workspace_name" not in fields:
        wrong = [*wrong, "workspace_name"]
    assert (response.status_code, sorted(form_errors(response))) == (200, sorted(wrong))
    assert (User.objects.count(), Workspace.objects.count()) == (people, workspaces)


def test_wrong_password_and_unknown_address_look_the_same() -> None:
    user = make_registered_user()
    errors = [
        form_errors(log_in(new_browser(), email, "wrong-password"))
        for email in (user.email, new_email())
    ]
    assert errors[0] == errors[1]
    assert list(errors[0]) == ["__all__"]


def test_login_redirects_only_within_the_site() -> None:
    user = make_registered_user()
    client = new_browser()
    assert client.get("/workspaces").headers["Location"] == "/login?next=/workspaces"
    assert log_in(client, user.email, then="/account/email").headers["Location"] == "/account/email"
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert (
            log_in(new_browser(), user.email, then=elsewhere).headers["Location"] == "/workspaces"
        )


def test_logout_requires_post() -> None:
    client, user = new_browser(), make_registered_user()
    log_in(client, user.email)
    assert client.get("/logout").status_code == 200
    assert is_signed_in(client) is True
    assert client.post("/logout").headers["Location"] == "/login"
    assert is_signed_in(client) is False


def test_email_changes_once_the_new_address_is_verified() -> None:
    client, user, email = new_browser(), make_registered_user(), new_email()
    old = user.email
    log_in(client, user.email)
    confirm_password(client)
    client.post("/account/email", {"action_add": "", "email": email})
    user.refresh_from_db()
    assert user.email != email
    client.post(emailed_link())
    user.refresh_from_db()
    assert user.email == email
    assert (old, "Your email address was changed") in sent_emails()
    assert log_in(new_browser(), email).headers["Location"] == "/workspaces"


def test_other_sessions_are_listed_and_can_be_ended() -> None:
    client, other, user = (
        new_browser(),
        new_browser(headers={"user-agent": "Old laptop"}),
        make_registered_user(),
    )
    log_in(client, user.email)
    log_in(other, user.email)
    page = visible_text(client.get("/account/sessions").content.decode())
    assert (page.count("Old laptop"), page.count("Current")) == (1, 1)
    client.post("/account/sessions")
    assert other.get("/workspaces").status_code == 302
    assert client.get("/account/sessions").status_code == 200


def test_second_factor_setup_requires_reauthentication() -> None:
    client, user = new_browser(), make_registered_user()
    log_in(client, user.email)
    response = client.get("/account/2fa/app")
    assert response.headers["Location"] == "/confirm?next=%2Faccount%2F2fa%2Fapp"
    wrong = client.post("/confirm", {"password": "guess", "next": "/account/2fa/app"})
    assert form_errors(wrong) == {"password": ["Incorrect password."]}
    right = client.post("/confirm", {"password": PASSWORD, "next": "/account/2fa/app"})
    assert right.headers["Location"] == "/account/2fa/app"
    assert client.get("/account/2fa/app").status_code == 200


def test_inactive_user_cannot_log_in() -> None:
    client, user = new_browser(), make_registered_user(is_active=False)
    log_in(client, user.email)
    assert is_signed_in(client) is False


def test_staff_log_in_on_the_same_page() -> None:
    client, user = new_browser(), make_registered_user(is_staff=True)
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1] == ("/login?next=%2Fadmin%2F", 302)
    assert log_in(client, user.email, then="/admin/").headers["Location"] == "/admin/"
    assert client.get("/admin/").headers["Location"] == "/account/2fa"
    member = new_browser()
    log_in(member, make_registered_user().email)
    assert member.get("/admin/", follow=True).status_code == 403


def test_user_without_a_workspace_can_create_one() -> None:
    client, user = new_browser(), make_registered_user()
    log_in(client, user.email)
    assert "You don't belong to a workspace yet" in client.get("/workspaces").content.decode()
    response = client.post("/workspaces/new", {"name": "Second try"})
    workspace = Workspace.objects.get(members__user=user)
    assert response.headers["Location"] == f"/w/{workspace.slug}/"
    assert client.get("/workspaces").headers["Location"] == f"/w/{workspace.slug}/"


def test_second_workspace_gets_no_free_credits() -> None:
    client, email = new_browser(), new_email()
    sign_up(client, email, "First")
    client.post(emailed_link())
    client.post("/workspaces/new", {"name": "Second"})
    first, second = Workspace.objects.filter(members__user__email=email).order_by("name")
    page = client.get("/workspaces")
    assert page.status_code == 200
    for workspace in (first, second):
        assert page.content.decode().count(f'href="/w/{workspace.slug}/"') == 1
    assert (balance_for(first.id).balance > 0, balance_for(second.id).balance) == (True, 0)


def test_session_cookie_is_http_only_and_same_site() -> None:
    client, user = new_browser(), make_registered_user()
    cookie = log_in(client, user.email).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert Session.objects.get(pk=cookie.value).expire_date > timezone.now()


def test_forms_require_a_csrf_token() -> None:
    client = new_browser(enforce_csrf_checks=True)
    for address in ("/login", "/signup", "/logout", "/password/reset", "/workspaces/new"):
        assert client.post(address, {}).status_code == 403, address


@pytest.mark.parametrize("address", ["/login", "/signup", "/password/reset", "/verify-email"])
def test_pages_before_login_run_no_query(address: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = Client()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    assert len(queries) == 0
