from collections.abc import Callable
from typing import Any

from django import forms


class NormalizedCharField(forms.CharField):
    """Text that a function normalizes. A ValueError that it raises is shown on the form."""

    def __init__(self, *, normalize: Callable[[str], str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.normalize = normalize

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return self.normalize(text) if text else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
