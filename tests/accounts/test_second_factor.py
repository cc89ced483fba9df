"""Two-factor authentication: app setup, codes at login, recovery codes and passkeys."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts.adapters import SecondFactorAdapter
from apps.accounts.models import User
from tests.accounts.authenticator_app import app_code, make_verified_user
from tests.accounts.browser_session import (
    confirm_password,
    form_errors,
    is_signed_in,
    log_in,
    new_browser,
    sent_emails,
)

pytestmark = pytest.mark.usefixtures("empty_queue")


def make_protected_user() -> tuple[User, Client, str]:
    """A user with an authenticator app, a signed-in client, and the app's secret."""
    user = make_verified_user()
    client = new_browser()
    log_in(client, user.email)
    confirm_password(client)
    secret = client.get("/account/2fa/app").context["form"].secret
    response = client.post("/account/2fa/app", {"code": app_code(secret)})
    assert response.headers["Location"] == "/account/2fa/codes"
    return user, client, secret


def shown_recovery_codes(client: Client) -> list[str]:
    """The recovery codes that the page shows, once."""
    return list(client.get("/account/2fa/codes").context["unused_codes"])


def test_app_setup_shows_recovery_codes_and_sends_an_email() -> None:
    user, client, _ = make_protected_user()
    assert len(shown_recovery_codes(client)) == 10
    assert (user.email, "Authenticator App Activated") in sent_emails()
    assert "Enabled on" in client.get("/account/2fa").content.decode()


def test_app_setup_rejects_a_wrong_code() -> None:
    user = make_verified_user()
    client = new_browser()
    log_in(client, user.email)
    confirm_password(client)
    assert form_errors(client.post("/account/2fa/app", {"code": "000000"})).keys() == {"code"}
    assert Authenticator.objects.filter(user=user).count() == 0


def test_login_requires_the_code() -> None:
    user, _, _ = make_protected_user()
    client = new_browser()
    assert log_in(client, user.email).headers["Location"] == "/login/second-factor"
    assert (is_signed_in(client), client.get("/workspaces").status_code) == (False, 302)
    assert form_errors(client.post("/login/second-factor", {"code": "000000"})).keys() == {"code"}
    assert is_signed_in(client) is False


def test_recovery_code_works_once() -> None:
    user, client, _ = make_protected_user()
    first, *_ = shown_recovery_codes(client)
    signed_in = []
    for _ in range(2):
        browser = new_browser()
        log_in(browser, user.email)
        browser.post("/login/second-factor", {"code": first})
        signed_in.append(is_signed_in(browser))
    assert signed_in == [True, False]


def test_app_code_works_once() -> None:
    user, _, secret = make_protected_user()
    code, signed_in = app_code(secret), []
    for _ in range(2):
        browser = new_browser()
        log_in(browser, user.email)
        browser.post("/login/second-factor", {"code": code})
        signed_in.append(is_signed_in(browser))
    assert signed_in == [True, False]


def test_login_codes_are_rate_limited() -> None:
    user, _, _ = make_protected_user()
    client = new_browser()
    log_in(client, user.email)
    for _ in range(5):
        client.post("/login/second-factor", {"code": "000000"})
    refused = form_errors(client.post("/login/second-factor", {"code": "000000"}))
    assert refused == {"code": ["Too many failed login attempts. Try again later."]}


def test_recovery_codes_are_shown_once() -> None:
    _, client, _ = make_protected_user()
    assert "****" not in shown_recovery_codes(client)
    assert set(shown_recovery_codes(client)) == {"****"}
    assert client.get("/account/2fa/codes/download").status_code == 403


def test_removing_the_app_deletes_the_recovery_codes() -> None:
    user, client, _ = make_protected_user()
    response = client.post("/account/2fa/app/remove")
    assert response.headers["Location"] == "/account/2fa"
    assert Authenticator.objects.filter(user=user).count() == 0
    assert log_in(new_browser(), user.email).headers["Location"] == "/workspaces"


def test_secrets_are_stored_encrypted() -> None:
    user, client, secret = make_protected_user()
    codes = shown_recovery_codes(client)
    stored = str(list(Authenticator.objects.filter(user=user).values("data")))
    assert [word for word in (secret, *codes) if word in stored] == []


def test_secrets_are_readable_after_a_key_rotation(settings: object) -> None:
    adapter = SecondFactorAdapter()
    encrypted = adapter.encrypt("secret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another-" + "key" * 20  # type: ignore[attr-defined]
    assert adapter.decrypt(encrypted) == "secret"


@pytest.mark.parametrize(
    "address", ["/account/2fa", "/account/passkeys", "/account/passkeys/add", "/account/email"]
)
def test_account_pages_require_login(address: str) -> None:
    assert new_browser().get(address).headers["Location"].split("?")[0] in ("/login", "/confirm")
    _, client, _ = make_protected_user()
    assert client.get(address).status_code == 200


def test_passkey_of_another_user_is_not_found() -> None:
    mine, _, _ = make_protected_user()
    key = Authenticator.objects.create(
        user=mine, type=Authenticator.Type.WEBAUTHN, data={"name": "Mine", "credential": {}}
    )
    _, client, _ = make_protected_user()
    assert client.get(f"/account/passkeys/{key.pk}").status_code == 404
    assert client.post(f"/account/passkeys/{key.pk}/remove").status_code == 404
    assert Authenticator.objects.filter(pk=key.pk).count() == 1
