"""The form with which people sign up."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.core import context
from django import forms
from django.db import transaction
from django.http import HttpRequest

from apps.accounts.forms import PlainLabelsMixin
from apps.accounts.models import User
from apps.audit.services import user_actor
from apps.dashboard.onboarding.services import create_workspace

INVITATIONS = "/invitations/"


class SignUpForm(PlainLabelsMixin, SignupForm):  # type: ignore[misc]
    """An account and its first workspace, both or neither.

    Who comes from an invitation joins a workspace and need not name one.
    """

    workspace_name = forms.CharField(
        max_length=120,
        label="Workspace name",
        help_text="Your company or product. You can rename it later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    field_order = ["email", "password1", "workspace_name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invited_email = _invited_email(context.request)
        if self.invited_email:
            email = self.fields["email"]
            email.initial, email.disabled = self.invited_email, True
            del self.fields["workspace_name"]

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        if not self.invited_email:
            # An address that a link vouched for earlier is not this account's.
            get_adapter(request).unstash_verified_email(request)
        user: User = super().save(request)
        if name := self.cleaned_data.get("workspace_name"):
            create_workspace(name=name, owner=user, actor=user_actor(user, request))
        return user


def _invited_email(request: HttpRequest) -> str | None:
    """The address of the invitation that the person is on the way to."""
    then = request.POST.get("next") or request.GET.get("next") or ""
    if not then.startswith(INVITATIONS):
        return None
    vouched_for: str | None = request.session.get("account_verified_email")
    return vouched_for


class WorkspaceForm(forms.Form):
    """What a new workspace is called."""

    name = forms.CharField(
        max_length=120,
        label="Name",
        help_text="Your company or product. You can rename it later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
