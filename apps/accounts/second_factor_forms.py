"""The forms of second factors and passkeys, in our words."""

from __future__ import annotations

from typing import Any

from allauth.mfa.base.forms import AuthenticateForm as CodeForm
from allauth.mfa.base.forms import ReauthenticateForm as CodeAnewForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm

from apps.accounts.forms import PlainLabelsMixin


class AuthenticateForm(PlainLabelsMixin, CodeForm):  # type: ignore[misc]
    """The code of whoever logs in."""


class ReauthenticateForm(PlainLabelsMixin, CodeAnewForm):  # type: ignore[misc]
    """The code of whoever is in, and proves it anew."""


class SetUpAppForm(PlainLabelsMixin, ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code that the app shows"


class AddPasskeyForm(PlainLabelsMixin, AddWebAuthnForm):  # type: ignore[misc]
    """What a passkey is called, and whether it opens the account by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        alone = self.fields["passwordless"]
        alone.label = "Log in with it alone"
        alone.help_text = (
            "Instead of your password, your device asks for your fingerprint, face or PIN."
        )
