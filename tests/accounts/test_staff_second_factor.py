"""Staff need a second factor before any page of the admin."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.audit.models import AuditEntry
from apps.core.ids import new_id
from tests.accounts.authenticator_app import app_code
from tests.accounts.browser_session import (
    PASSWORD,
    confirm_password,
    is_signed_in,
    log_in,
    new_browser,
)
from tests.dashboard.page_client import shown_messages

PAGES = [
    reverse("admin:index"),
    reverse("admin:search") + "?s=user",
    reverse("admin:autocomplete"),
    reverse("admin:password_change"),
    reverse("admin:accounts_user_changelist"),
    reverse("admin:adjustments_adjustment_adjust"),
]


@pytest.fixture
def boss(committed: None) -> User:
    """A superuser without a second factor."""
    user = User.objects.create_superuser(f"boss-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=user)
    return user


def signed_in(user: User) -> Client:
    client = new_browser()
    log_in(client, user.email)
    assert is_signed_in(client)
    return client


def statuses(client: Client) -> set[int]:
    return {client.get(page).status_code for page in PAGES}


def set_up_app(client: Client) -> None:
    confirm_password(client)
    secret = client.get("/account/2fa/app").context["form"].secret
    code = app_code(secret)
    assert client.post("/account/2fa/app", {"code": code}).status_code == 302


def add_passkey(user: User) -> None:
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={})


def test_password_alone_leads_to_the_set_up_page(boss: User) -> None:
    client = signed_in(boss)
    for page in PAGES:
        assert client.get(page).headers["Location"] == "/account/2fa"
        assert client.post(page, {}).headers["Location"] == "/account/2fa"
    shown = client.get(PAGES[0], follow=True)
    assert shown_messages(shown)[0].startswith("The staff admin needs a second factor")


def test_recovery_codes_are_no_factor(boss: User) -> None:
    RecoveryCodes.activate(boss)
    assert statuses(signed_in_by_force(boss)) == {302}


def signed_in_by_force(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_passkey_opens_the_admin(boss: User) -> None:
    add_passkey(boss)
    assert 302 not in statuses(signed_in_by_force(boss))


def test_set_up_opens_the_admin_and_ends_other_sessions(boss: User) -> None:
    here, elsewhere = signed_in(boss), signed_in(boss)
    set_up_app(here)
    assert here.get(PAGES[0]).status_code == 200
    assert elsewhere.get("/account/2fa").headers["Location"].startswith("/login")
    assert elsewhere.get(PAGES[0]).headers["Location"].startswith("/admin/login")


def test_members_need_no_second_factor(boss: User) -> None:
    User.objects.filter(pk=boss.pk).update(is_staff=False, is_superuser=False)
    client = signed_in(boss)
    assert client.get("/workspaces").status_code == 200
    assert client.get(PAGES[0]).headers["Location"].startswith("/admin/login")


def test_development_machines_can_do_without(boss: User, settings: object) -> None:
    settings.STAFF_SECOND_FACTOR_REQUIRED = False  # type: ignore[attr-defined]
    assert signed_in(boss).get(PAGES[0]).status_code == 200


def test_command_lets_somebody_in_again(boss: User) -> None:
    client = signed_in(boss)
    set_up_app(client)
    call_command("reset_second_factor", boss.email.upper())
    assert Authenticator.objects.filter(user=boss).count() == 0
    assert not client.get("/account/2fa").headers["Location"].startswith("/account")
    assert signed_in(boss).get(PAGES[0]).headers["Location"] == "/account/2fa"
    (entry,) = AuditEntry.objects.filter(action="user.second_factor_reset", target_id=boss.pk)
    assert (entry.actor_kind, entry.target_label) == ("system", boss.email)
    with pytest.raises(CommandError, match="no user"):
        call_command("reset_second_factor", "nobody@example.com")
