from __future__ import annotations

from typing import Any

from allauth.account.forms import AddEmailForm


class ChangeEmailForm(AddEmailForm):  # type: ignore[misc]
    """The address that takes the place of the one a person signs in with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New email address"
