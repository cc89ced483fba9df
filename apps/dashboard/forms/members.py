from django import forms

from apps.workspaces.models import INVITABLE_ROLES, Role

ROLE_LABELS = {
    Role.OWNER: "Owner: full access",
    Role.ADMIN: "Admin: all except owners and deletion",
    Role.MEMBER: "Member: chatbots and conversations",
    Role.VIEWER: "Viewer: read-only",
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
