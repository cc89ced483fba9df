"""SECRET_KEY can be changed: old values are read, encrypted anew, or said to be unreadable."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.management import call_command
from django.test import Client

from apps.accounts.models import User
from apps.accounts.second_factor import unreadable_factors
from apps.accounts.second_factor_forms import APP_UNREADABLE, NOTHING_READABLE
from apps.infrastructure.encryption import RESEAL_BATCH_SIZE
from apps.webhooks.models import Endpoint
from apps.webhooks.signing import decrypt_secret, encrypt_secret
from config.settings import accounts
from tests.accounts.authenticator_app import app_code, make_verified_user
from tests.accounts.browser_session import (
    confirm_password,
    form_errors,
    is_signed_in,
    log_in,
    new_browser,
)
from tests.factories import make_team, make_webhook_endpoint

OLD, NEW, OTHER = ("old-" * 15, "new-" * 15, "other-" * 10)
SECRET = "JBSWY3DPEHPK3PXP"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rotation(committed: None, settings: Any) -> Any:
    """The settings, with SECRET_KEY at its old value and at first no fallback."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    return settings


def change_key(settings: Any, key: str = NEW, *fallbacks: str) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)


def make_protected_user() -> tuple[User, str]:
    """A user with an authenticator app and a recovery code, which is returned."""
    user = make_verified_user()
    TOTP.activate(user, secret=SECRET)
    return user, RecoveryCodes.activate(user).get_unused_codes()[0]


def log_in_with(user: User, code: str) -> tuple[Client, Any]:
    browser = new_browser()
    log_in(browser, user.email)
    return browser, browser.post("/login/second-factor", {"code": code})


def reseal() -> dict[str, dict[str, int]]:
    output = StringIO()
    call_command("reseal_secrets", "--json", stdout=output)
    found: dict[str, dict[str, int]] = json.loads(output.getvalue())
    return found


def test_fallbacks_are_read_from_the_environment() -> None:
    assert accounts.env.list("SECRET_KEY_FALLBACKS", default=[]) == accounts.SECRET_KEY_FALLBACKS


def test_codes_work_under_a_fallback(rotation: Any) -> None:
    user, recovery_code = make_protected_user()
    change_key(rotation, NEW, OTHER, OLD)
    for code in (app_code(SECRET), recovery_code):
        assert is_signed_in(log_in_with(user, code)[0])


def test_resealed_secrets_need_no_fallback(rotation: Any) -> None:
    user, recovery_code = make_protected_user()
    endpoint, secret = make_webhook_endpoint(make_team().workspace)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        sealed_previous_secret=encrypt_secret("whsec_old"),
        previous_secret_expires_at="2099-01-01T00:00Z",
    )
    change_key(rotation, NEW, OLD)
    assert all(counts["resealed"] >= 1 for counts in reseal().values())
    assert [counts["resealed"] for counts in reseal().values()] == [0, 0, 0]
    change_key(rotation, NEW)
    endpoint.refresh_from_db()
    assert decrypt_secret(endpoint.sealed_secret) == secret
    assert decrypt_secret(endpoint.sealed_previous_secret) == "whsec_old"
    for code in (app_code(SECRET), recovery_code):
        assert is_signed_in(log_in_with(user, code)[0])


def test_migrated_codes_are_resealed(rotation: Any) -> None:
    user, _ = make_protected_user()
    codes = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES)
    seed = codes.get().data["seed"]
    codes.update(data={"migrated_codes": [seed, seed]})
    change_key(rotation, NEW, OLD)
    reseal()
    change_key(rotation, NEW)
    assert unreadable_factors(user) == set()


def test_unreadable_app_is_said_and_a_recovery_code_works(rotation: Any) -> None:
    user, _ = make_protected_user()
    change_key(rotation, NEW)
    RecoveryCodes.activate(user).instance.delete()
    recovery_code = RecoveryCodes.activate(user).get_unused_codes()[0]
    _, refused = log_in_with(user, app_code(SECRET))
    assert (refused.status_code, form_errors(refused)) == (200, {"code": [APP_UNREADABLE]})
    assert is_signed_in(log_in_with(user, recovery_code)[0])


def test_nothing_readable_is_said_and_counted(rotation: Any) -> None:
    user, recovery_code = make_protected_user()
    endpoint, _ = make_webhook_endpoint(make_team().workspace)
    change_key(rotation, OTHER)
    for code in (app_code(SECRET), recovery_code):
        _, refused = log_in_with(user, code)
        assert form_errors(refused) == {"code": [NOTHING_READABLE]}
    found = reseal()
    assert (found["second_factors"]["unreadable"] >= 2, found["webhook_secrets"]["unreadable"]) >= (
        True,
        1,
    )
    Endpoint.objects.filter(pk=endpoint.pk).delete()
    Authenticator.objects.filter(user=user).delete()


def test_account_pages_say_what_is_unreadable(rotation: Any) -> None:
    user, _ = make_protected_user()
    client = new_browser()
    client.force_login(user)
    change_key(rotation, OTHER)
    client = new_browser()
    client.force_login(user)
    page = client.get("/account/2fa").content.decode()
    assert page.count("any more") == 2
    codes = client.get("/account/2fa/codes")
    assert codes.headers["Location"] == "/account/2fa/codes/new"
    assert client.get("/account/2fa/codes/download").headers["Location"] == "/account/2fa/codes/new"
    confirm_password(client)
    assert client.get("/account/2fa/codes/new").status_code == 200
    client.post("/account/2fa/codes/new")
    assert unreadable_factors(user) == {"totp"}
    client.post("/account/2fa/app/remove")
    assert unreadable_factors(user) == set()


def test_resealing_goes_through_all_batches(rotation: Any) -> None:
    user, _ = make_protected_user()
    data = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).get().data
    keys = [
        Authenticator(user=user, type=Authenticator.Type.WEBAUTHN, data=data)
        for _ in range(RESEAL_BATCH_SIZE + 5)
    ]
    Authenticator.objects.bulk_create(keys)
    change_key(rotation, NEW, OLD)
    assert reseal()["second_factors"]["resealed"] >= RESEAL_BATCH_SIZE + 7
    Authenticator.objects.filter(user=user).delete()


def test_every_cipher_is_resealed() -> None:
    """A new kind of secret is added to `manage.py reseal_secrets`, and here."""
    made = re.compile(r"(?<!class )\bCipher\(")
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "apps").rglob("*.py")
        if made.search(path.read_text())
    }
    assert files == {"apps/accounts/adapters.py", "apps/webhooks/signing.py"}
