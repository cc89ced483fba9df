from collections.abc import Callable
from typing import Any

from django import forms
from pydantic.alias_generators import to_snake

from apps.core.errors import ValidationFailed


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


def add_api_errors(form: forms.Form, error: ValidationFailed) -> None:
    """Show a service's errors for API fields at the form's fields, other errors above the form."""
    for name, messages in error.details.items():
        field = to_snake(name)
        form.add_error(field if field in form.fields else None, list(messages))
