"""Resetting a forgotten password by email."""

from __future__ import annotations

import pytest

from tests.accounts.browser_session import (
    emailed_link,
    is_signed_in,
    log_in,
    make_registered_user,
    new_browser,
    new_email,
    sent_emails,
)

pytestmark = pytest.mark.usefixtures("empty_queue")


def test_password_reset_link_works_once() -> None:
    client, user = new_browser(), make_registered_user()
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


def test_password_reset_hides_whether_an_account_exists() -> None:
    email = new_email()
    known, unknown = (
        new_browser().post("/password/reset", {"email": address})
        for address in (make_registered_user().email, email)
    )
    assert known.headers["Location"] == unknown.headers["Location"] == "/password/reset/sent"
    assert sent_emails()[1] == (email, "No account with this email")


def test_password_reset_ends_other_sessions() -> None:
    user, elsewhere, client = make_registered_user(), new_browser(), new_browser()
    log_in(elsewhere, user.email)
    client.post("/password/reset", {"email": user.email})
    address = client.get(emailed_link(), follow=True).redirect_chain[-1][0]
    client.post(address, {"password1": "Another-1-Password", "password2": "Another-1-Password"})
    assert elsewhere.get("/workspaces").headers["Location"] == "/login?next=/workspaces"
