"""allauth's forms in our words: labels in sentence case, no placeholder that repeats one."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth
from django import forms

PASSWORD_HELP = "At least 8 characters, and not a common one."  # noqa: S105


class PlainLabelsMixin(forms.BaseForm):
    """A form of allauth's whose labels stand alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
            field.label = str(field.label).capitalize() if field.label else field.label
        if new := self.fields.get("password1"):
            new.help_text = PASSWORD_HELP


class LoginForm(PlainLabelsMixin, allauth.LoginForm):  # type: ignore[misc]
    """Who comes in by a password."""


class ReauthenticateForm(PlainLabelsMixin, allauth.ReauthenticateForm):  # type: ignore[misc]
    """Who is in, and proves it anew."""


class ResetPasswordForm(PlainLabelsMixin, allauth.ResetPasswordForm):  # type: ignore[misc]
    """Who has forgotten the password."""


class ResetPasswordKeyForm(PlainLabelsMixin, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    """The new password of whoever had forgotten it."""


class ChangePasswordForm(PlainLabelsMixin, allauth.ChangePasswordForm):  # type: ignore[misc]
    """Another password."""


class SetPasswordForm(PlainLabelsMixin, allauth.SetPasswordForm):  # type: ignore[misc]
    """The first password of whoever came without."""


class ChangeEmailForm(PlainLabelsMixin, allauth.AddEmailForm):  # type: ignore[misc]
    """The address that takes the place of the one a person logs in with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New email address"
