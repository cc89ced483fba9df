from __future__ import annotations

from django import forms

from apps.workspaces.models import INVITABLE_ROLES, Role

ROLE_LABELS = {
    Role.OWNER: "Owner: full access, including managing owners and deleting the workspace",
    Role.ADMIN: "Admin: full access, except managing owners and deleting the workspace",
    Role.MEMBER: "Member: builds chatbots and manages conversations",
    Role.VIEWER: "Viewer: read-only access",
}


class InviteForm(forms.Form):
    """An invitation: email address and role."""

    email = forms.EmailField(
        max_length=254,
        label="Email address",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, ROLE_LABELS[role]) for role in INVITABLE_ROLES],
        initial=Role.MEMBER,
    )


class RoleForm(forms.Form):
    """A member's new role."""

    role = forms.ChoiceField(choices=Role.choices)
