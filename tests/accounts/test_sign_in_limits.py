"""How often a person, an address and a stranger may try to sign in or up."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from apps.accounts.passwords.attempts import FREE_ATTEMPTS, slow_down
from apps.core.ids import new_id
from tests.accounts.browser_session import (
    PASSWORD,
    form_errors,
    log_in,
    make_registered_user,
    new_browser,
    new_email,
    sign_up,
)

pytestmark = pytest.mark.usefixtures("empty_queue")


def test_login_is_rate_limited_per_account_and_address() -> None:
    user, stranger = make_registered_user(), new_browser()
    for _ in range(5):
        assert "too many" not in str(form_errors(log_in(stranger, user.email, "guess"))).lower()
    refused = form_errors(log_in(stranger, user.email, PASSWORD))
    assert refused == {"__all__": ["Too many failed login attempts. Try again later."]}
    neighbour = new_browser(address_beside(stranger))
    assert form_errors(log_in(neighbour, user.email)).keys() == {"__all__"}


def test_strangers_slow_down_but_do_not_lock_an_account() -> None:
    user = make_registered_user()
    for _ in range(FREE_ATTEMPTS):
        log_in(new_browser(), user.email, "guess")
    with override_settings(LOGIN_DELAY_SECONDS=0):
        assert log_in(new_browser(), user.email).status_code == 302
        assert (slow_down(user.email.upper()), slow_down(new_email())) == (True, False)


def address_beside(browser: Client) -> str:
    """Another address of the browser's network."""
    return str(browser.defaults["REMOTE_ADDR"]).replace("::1", "::2")


def test_login_is_rate_limited_per_ip_address() -> None:
    address = f"2001:db8:{new_id()[-4:].encode().hex()[:4]}:1::1"
    for _ in range(10):
        log_in(new_browser(address), new_email(), "guess")
    user = make_registered_user()
    assert form_errors(log_in(new_browser(address), user.email)).keys() == {"__all__"}
    assert log_in(new_browser(), user.email).status_code == 302


def test_sign_up_is_rate_limited_per_ip_address() -> None:
    address = f"2001:db8:{new_id()[-4:].encode().hex()[:4]}:2::1"
    statuses = [sign_up(new_browser(address), "nobody", "Acme").status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
