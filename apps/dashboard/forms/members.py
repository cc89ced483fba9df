from __future__ import annotations

from django import forms

from apps.workspaces.models import INVITABLE_ROLES, Role

ROLES_IN_WORDS = {
    Role.OWNER: "Owner: everything, other owners and the end of the workspace included",
    Role.ADMIN: "Admin: everything but owners and the end of the workspace",
    Role.MEMBER: "Member: builds chatbots, reads conversations",
    Role.VIEWER: "Viewer: looks at everything, changes nothing",
}


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        max_length=254,
        label="Email address",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, ROLES_IN_WORDS[role]) for role in INVITABLE_ROLES],
        initial=Role.MEMBER,
    )


class RoleForm(forms.Form):
    """What a member becomes."""

    role = forms.ChoiceField(choices=Role.choices)
