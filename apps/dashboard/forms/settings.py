from django import forms

from apps.infrastructure.names import validate_name
from apps.workspaces.models import MAX_RETENTION_DAYS, Erasure, Workspace


class WorkspaceNameForm(forms.Form):
    """The workspace's name."""

    name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        help_text="The workspace URL doesn't change.",
    )


def _days_field(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=1, max_value=MAX_RETENTION_DAYS, label=label, help_text=help_text
    )


class RetentionForm(forms.Form):
    """After how many days conversations and leads are deleted."""

    conversations_days = _days_field(
        "Delete conversations after (days)",
        "Counted from the last message. Leave empty to keep indefinitely.",
    )
    leads_days = _days_field(
        "Delete leads after (days)",
        "Counted from the last change. Leave empty to keep indefinitely.",
    )

    @classmethod
    def for_workspace(cls, workspace: Workspace) -> "RetentionForm":
        """The form filled in with the workspace's settings."""
        days = {
            "conversations_days": workspace.keep_conversations_days,
            "leads_days": workspace.keep_leads_days,
        }
        return cls(initial=days)


class ErasureForm(forms.Form):
    """The end user whose data to erase."""

    user_id = forms.CharField(
        max_length=Erasure.MAX_USER_ID_LENGTH,
        strip=False,
        label="End user ID",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Exactly as your code sends it in metadata.userId.",
    )
