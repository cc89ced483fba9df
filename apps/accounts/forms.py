"""allauth's forms with labels in sentence case and without placeholders."""

from typing import Any

from allauth.account import forms as allauth
from django import forms

PASSWORD_HELP = "At least 8 characters. Avoid common passwords."  # noqa: S105


class PlainLabelsMixin(forms.BaseForm):
    """Set labels in sentence case and remove the placeholders that repeat them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
            field.label = str(field.label).capitalize() if field.label else field.label
        if new_password := self.fields.get("password1"):
            new_password.help_text = PASSWORD_HELP


class LoginForm(PlainLabelsMixin, allauth.LoginForm):  # type: ignore[misc]
    """Log in with email and password."""


class ReauthenticateForm(PlainLabelsMixin, allauth.ReauthenticateForm):  # type: ignore[misc]
    """Confirm the password of a signed-in user."""


class ResetPasswordForm(PlainLabelsMixin, allauth.ResetPasswordForm):  # type: ignore[misc]
    """Request a password reset email."""


class ResetPasswordKeyForm(PlainLabelsMixin, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    """Set a new password from the link of a reset email."""


class ChangePasswordForm(PlainLabelsMixin, allauth.ChangePasswordForm):  # type: ignore[misc]
    """Change the password."""


class SetPasswordForm(PlainLabelsMixin, allauth.SetPasswordForm):  # type: ignore[misc]
    """Set the first password of an account without one."""


class ChangeEmailForm(PlainLabelsMixin, allauth.AddEmailForm):  # type: ignore[misc]
    """Change the email address that a user logs in with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New email address"
