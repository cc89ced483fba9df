from __future__ import annotations

from django import forms


class NameForm(forms.Form):
    """What the workspace is called."""

    name = forms.CharField(max_length=120, help_text="The address of the workspace stays.")
