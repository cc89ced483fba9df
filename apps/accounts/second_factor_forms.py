"""allauth's forms for two-factor authentication and passkeys, with plain labels."""

from typing import Any

from allauth.mfa.base import forms as allauth
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm

from apps.accounts.forms import PlainLabelsMixin


class AuthenticateForm(PlainLabelsMixin, allauth.AuthenticateForm):  # type: ignore[misc]
    """Enter the code at login."""


class ReauthenticateForm(PlainLabelsMixin, allauth.ReauthenticateForm):  # type: ignore[misc]
    """Confirm the code of a signed-in user."""


class SetUpAppForm(PlainLabelsMixin, ActivateTOTPForm):  # type: ignore[misc]
    """Set up an authenticator app with its first code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code from the app"


class AddPasskeyForm(PlainLabelsMixin, AddWebAuthnForm):  # type: ignore[misc]
    """Name a new passkey and choose whether it replaces the password at login."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        passwordless = self.fields["passwordless"]
        passwordless.label = "Log in without a password"
        passwordless.help_text = "Your device asks for your fingerprint, face or PIN instead."
