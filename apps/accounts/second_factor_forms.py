"""allauth's forms for two-factor authentication and passkeys, with plain labels."""

from typing import Any

from allauth.mfa.base import forms as allauth
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django.core.exceptions import ValidationError

from apps.accounts.forms import PlainLabelsMixin
from apps.accounts.second_factor import unreadable_factors
from apps.infrastructure.names import validate_name

APP_UNREADABLE = (
    "Codes of your authenticator app cannot be checked any more. Use a recovery code or a passkey, "
    "then set the app up again."
)
NOTHING_READABLE = (
    "Your authenticator app and recovery codes cannot be checked any more. Use a passkey, or ask "
    "support to reset your two-factor authentication."
)


class ReadableCodesMixin:
    """Say so if a code is refused because its secret cannot be read."""

    user: Any

    def clean_code(self) -> str:
        try:
            return str(super().clean_code())  # type: ignore[misc]
        except ValidationError as error:
            unreadable = unreadable_factors(self.user) if error.code == "incorrect_code" else set()
            if not unreadable:
                raise
            has_codes = Authenticator.Type.RECOVERY_CODES not in unreadable
            raise ValidationError(APP_UNREADABLE if has_codes else NOTHING_READABLE) from None


class AuthenticateForm(ReadableCodesMixin, PlainLabelsMixin, allauth.AuthenticateForm):  # type: ignore[misc]
    """Enter the code at login."""


class ReauthenticateForm(ReadableCodesMixin, PlainLabelsMixin, allauth.ReauthenticateForm):  # type: ignore[misc]
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

    def clean_name(self) -> str:
        # The browser has created the passkey already: it is not lost for its name.
        try:
            validate_name(self.cleaned_data["name"])
        except ValidationError:
            self.cleaned_data["name"] = ""
        return str(super().clean_name())


class EditPasskeyForm(PlainLabelsMixin, EditWebAuthnForm):  # type: ignore[misc]
    """Rename a passkey."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].validators.append(validate_name)
