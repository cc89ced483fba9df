"""Signing up, in and out, by the pages that people use."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.audit.queries import entries_for
from apps.core.ids import new_id
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
    new_browser,
    sent_emails,
    sign_up,
)
from tests.dashboard.page_client import visible_text
from tests.task_runner import run_jobs

pytestmark = pytest.mark.usefixtures("queue")


@pytest.fixture
def queue(committed: None) -> None:
    """Nothing is left in the job queue by an earlier test."""
    run_jobs()


def new_email() -> str:
    return f"dana-{new_id()}@example.com"


def person(*, email: str | None = None, is_verified: bool = True, **fields: bool) -> User:
    """Somebody who signed up earlier."""
    user = User.objects.create_user(email or new_email(), PASSWORD, **fields)
    if is_verified:
        mark_email_verified(user=user)
    return user


def test_sign_up_makes_a_workspace_with_credits_and_asks_for_proof_of_the_address() -> None:
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


def test_link_in_the_email_lets_in_the_browser_that_signed_up() -> None:
    client, email = new_browser(), new_email()
    sign_up(client, email)
    link = emailed_link()
    assert client.get(link).status_code == 200  # scanners of mail only look
    assert is_signed_in(client) is False
    response = client.post(link, follow=True)
    workspace = Workspace.objects.get(members__user__email=email)
    assert response.redirect_chain[-1] == (f"/w/{workspace.slug}/", 302)
    assert is_signed_in(client) is True


def test_link_in_the_email_lets_in_no_other_browser_and_works_once() -> None:
    client, email = new_browser(), new_email()
    sign_up(client, email)
    link, stranger = emailed_link(), new_browser()
    assert stranger.post(link).headers["Location"] == "/login"
    assert is_signed_in(stranger) is False
    assert "This link isn't valid" in stranger.get(link).content.decode()
    assert log_in(client, email).headers["Location"] == "/workspaces"


def test_address_must_be_proven_before_the_first_log_in() -> None:
    client, user = new_browser(), person(is_verified=False)
    assert log_in(client, user.email).headers["Location"] == "/verify-email"
    assert is_signed_in(client) is False
    assert sent_emails() == [(user.email, "Confirm your email address")]


def test_sign_up_with_a_known_address_tells_its_owner_and_nobody_else() -> None:
    user, client = person(), new_browser()
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
def test_sign_up_that_is_not_valid_makes_nothing(fields: dict[str, str], wrong: list[str]) -> None:
    people, workspaces = User.objects.count(), Workspace.objects.count()
    form: dict[str, str] = {"email": new_email(), **fields}
    response = sign_up(new_browser(), workspace=None, **form)
    if "workspace_name" not in fields:
        wrong = [*wrong, "workspace_name"]
    assert (response.status_code, sorted(form_errors(response))) == (200, sorted(wrong))
    assert (User.objects.count(), Workspace.objects.count()) == (people, workspaces)


def test_wrong_password_and_unknown_address_get_one_answer() -> None:
    user = person()
    found = [
        form_errors(log_in(new_browser(), email, "wrong-password"))
        for email in (user.email, new_email())
    ]
    assert found[0] == found[1]
    assert list(found[0]) == ["__all__"]


def test_log_in_goes_where_one_wanted_to_and_nowhere_else() -> None:
    user = person()
    asked = new_browser()
    assert asked.get("/workspaces").headers["Location"] == "/login?next=/workspaces"
    assert log_in(asked, user.email, then="/account/email").headers["Location"] == "/account/email"
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert (
            log_in(new_browser(), user.email, then=elsewhere).headers["Location"] == "/workspaces"
        )


def test_guessing_one_password_is_slowed_down_wherever_it_comes_from() -> None:
    user = person()
    for _ in range(5):
        assert (
            "too many" not in str(form_errors(log_in(new_browser(), user.email, "guess"))).lower()
        )
    refused = form_errors(log_in(new_browser(), user.email, PASSWORD))
    assert refused == {"__all__": ["Too many failed login attempts. Try again later."]}


def test_guessing_from_one_address_is_slowed_down_whoever_is_meant() -> None:
    address = f"2001:db8:{new_id()[-4:].encode().hex()[:4]}:1::1"
    for _ in range(10):
        log_in(new_browser(address), new_email(), "guess")
    user = person()
    assert form_errors(log_in(new_browser(address), user.email)).keys() == {"__all__"}
    assert log_in(new_browser(), user.email).status_code == 302


def test_signing_up_from_one_address_is_slowed_down() -> None:
    address = f"2001:db8:{new_id()[-4:].encode().hex()[:4]}:2::1"
    found = [sign_up(new_browser(address), "nobody", "Acme").status_code for _ in range(21)]
    assert found == [200] * 20 + [429]


def test_log_out_takes_a_post() -> None:
    client, user = new_browser(), person()
    log_in(client, user.email)
    assert client.get("/logout").status_code == 200
    assert is_signed_in(client) is True
    assert client.post("/logout").headers["Location"] == "/login"
    assert is_signed_in(client) is False


def test_password_is_reset_by_a_link_that_works_once() -> None:
    client, user = new_browser(), person()
    assert client.post("/password/reset", {"email": user.email}).status_code == 302
    link = emailed_link()
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    new = {"password1": "Another-1-Password", "password2": "Another-1-Password"}
    assert client.post(address, new).headers["Location"] == "/password/reset/done"
    assert is_signed_in(client) is False
    assert sent_emails() == [(user.email, "Your password was reset")]
    assert log_in(new_browser(), user.email, "Another-1-Password").status_code == 302
    again = new_browser().get(link, follow=True)
    assert "This link isn't valid" in again.content.decode()


def test_reset_says_the_same_of_an_address_that_nobody_has() -> None:
    email = new_email()
    known, unknown = (
        new_browser().post("/password/reset", {"email": address})
        for address in (person().email, email)
    )
    assert known.headers["Location"] == unknown.headers["Location"] == "/password/reset/sent"
    assert sent_emails()[1] == (email, "No account with this email")


def test_reset_signs_other_sessions_out() -> None:
    user, elsewhere, client = person(), new_browser(), new_browser()
    log_in(elsewhere, user.email)
    client.post("/password/reset", {"email": user.email})
    address = client.get(emailed_link(), follow=True).redirect_chain[-1][0]
    client.post(address, {"password1": "Another-1-Password", "password2": "Another-1-Password"})
    assert elsewhere.get("/workspaces").headers["Location"] == "/login?next=/workspaces"


def test_address_is_changed_once_the_new_one_is_proven() -> None:
    client, user, email = new_browser(), person(), new_email()
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


def test_other_sessions_are_listed_and_ended() -> None:
    client, other, user = new_browser(), new_browser(headers={"user-agent": "Old laptop"}), person()
    log_in(client, user.email)
    log_in(other, user.email)
    page = visible_text(client.get("/account/sessions").content.decode())
    assert (page.count("Old laptop"), page.count("This one")) == (1, 1)
    client.post("/account/sessions")
    assert other.get("/workspaces").status_code == 302
    assert client.get("/account/sessions").status_code == 200


def test_fresh_proof_is_asked_for_before_a_factor_is_changed() -> None:
    client, user = new_browser(), person()
    log_in(client, user.email)
    asked = client.get("/account/2fa/app")
    assert asked.headers["Location"] == "/confirm?next=%2Faccount%2F2fa%2Fapp"
    wrong = client.post("/confirm", {"password": "guess", "next": "/account/2fa/app"})
    assert form_errors(wrong) == {"password": ["Incorrect password."]}
    right = client.post("/confirm", {"password": PASSWORD, "next": "/account/2fa/app"})
    assert right.headers["Location"] == "/account/2fa/app"
    assert client.get("/account/2fa/app").status_code == 200


def test_somebody_switched_off_does_not_get_in() -> None:
    client, user = new_browser(), person(is_active=False)
    log_in(client, user.email)
    assert is_signed_in(client) is False


def test_staff_come_in_by_the_same_door() -> None:
    client, user = new_browser(), person(is_staff=True)
    asked = client.get("/admin/", follow=True)
    assert asked.redirect_chain[-1] == ("/login?next=%2Fadmin%2F", 302)
    assert log_in(client, user.email, then="/admin/").headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    member = new_browser()
    log_in(member, person().email)
    assert member.get("/admin/", follow=True).status_code == 403


def test_person_in_no_workspace_is_told_what_to_do_and_makes_one() -> None:
    client, user = new_browser(), person()
    log_in(client, user.email)
    assert "You don't belong to a workspace yet" in client.get("/workspaces").content.decode()
    response = client.post("/workspaces/new", {"name": "Second try"})
    workspace = Workspace.objects.get(members__user=user)
    assert response.headers["Location"] == f"/w/{workspace.slug}/"
    assert client.get("/workspaces").headers["Location"] == f"/w/{workspace.slug}/"


def test_person_in_two_workspaces_chooses_and_has_the_free_credits_once() -> None:
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


def test_session_is_kept_from_scripts_and_other_sites() -> None:
    client, user = new_browser(), person()
    cookie = log_in(client, user.email).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert Session.objects.get(pk=cookie.value).expire_date > timezone.now()


def test_forms_want_their_token() -> None:
    client = new_browser(enforce_csrf_checks=True)
    for address in ("/login", "/signup", "/logout", "/password/reset", "/workspaces/new"):
        assert client.post(address, {}).status_code == 403, address


@pytest.mark.parametrize("address", ["/login", "/signup", "/password/reset", "/verify-email"])
def test_pages_before_signing_in_cost_no_query(address: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = Client()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    assert len(queries) == 0
