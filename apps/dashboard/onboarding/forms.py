"""Forms to sign up and to create a workspace."""

from typing import Any
from urllib.parse import unquote

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.core import context
from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.forms import PlainLabelsMixin
from apps.accounts.models import User
from apps.audit.services import user_actor
from apps.dashboard.onboarding.services import create_workspace
from apps.infrastructure.names import validate_name
from apps.workspaces.errors import InvitationError
from apps.workspaces.queries import get_invitation_by_token

INVITATIONS_PATH = "/invitations/"


class SignUpForm(PlainLabelsMixin, SignupForm):  # type: ignore[misc]
    """An account and its first workspace, created in one transaction.

    Users who follow an invitation join its workspace, so the form does not ask for a name.
    """

    workspace_name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        label="Workspace name",
        help_text="Your company or product. You can rename it later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    field_order = ["email", "password1", "workspace_name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # From the address: another invitation may have been opened in this browser since.
        self.invited_email = _invited_email(context.request)
        if self.invited_email:
            email = self.fields["email"]
            email.initial, email.disabled = self.invited_email, True
            del self.fields["workspace_name"]

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        adapter = get_adapter(request)
        if self.invited_email:
            # Its link was sent to this address.
            adapter.stash_verified_email(request, self.invited_email)
        else:
            adapter.unstash_verified_email(request)
        user: User = super().save(request)
        if name := self.cleaned_data.get("workspace_name"):
            create_workspace(name=name, owner=user, actor=user_actor(user, request))
        return user


def _invited_email(request: HttpRequest) -> str | None:
    """The email address of the open invitation that the user is following."""
    next_url = request.POST.get("next") or request.GET.get("next") or ""
    if not next_url.startswith(INVITATIONS_PATH):
        return None
    try:
        invitation = get_invitation_by_token(unquote(next_url.removeprefix(INVITATIONS_PATH)))
    except InvitationError:
        return None
    return invitation.email if invitation.is_open(timezone.now()) else None


class WorkspaceForm(forms.Form):
    """The name of a new workspace."""

    name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        label="Name",
        help_text="Your company or product. You can rename it later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
