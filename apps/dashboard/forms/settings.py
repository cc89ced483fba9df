from __future__ import annotations

from django import forms

from apps.workspaces.models import MAX_RETENTION_DAYS, Erasure, Workspace


class WorkspaceNameForm(forms.Form):
    """What the workspace is called."""

    name = forms.CharField(max_length=120, help_text="The workspace URL doesn't change.")


def _days(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=1, max_value=MAX_RETENTION_DAYS, label=label, help_text=help_text
    )


class RetentionForm(forms.Form):
    """How long conversations and leads are kept."""

    conversations_days = _days(
        "Delete conversations after (days)",
        "Counted from the last message. Leave empty to keep indefinitely.",
    )
    leads_days = _days(
        "Delete leads after (days)",
        "Counted from the last change. Leave empty to keep indefinitely.",
    )

    @classmethod
    def for_workspace(cls, workspace: Workspace) -> RetentionForm:
        """The form as the workspace stands."""
        days = {
            "conversations_days": workspace.keep_conversations_days,
            "leads_days": workspace.keep_leads_days,
        }
        return cls(initial=days)


class ErasureForm(forms.Form):
    """Whom to forget."""

    user_id = forms.CharField(
        max_length=Erasure.MAX_USER_ID_LENGTH,
        strip=False,
        label="End user ID",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Exactly as your code sends it in metadata.userId.",
    )
