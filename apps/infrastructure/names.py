"""Fields for what people name: text that can be seen and does not reorder the text around it.

Models use `NameField`; forms without a model use `validate_name`. REST schemas use
`core.text.single_line`, which has the same rules.
"""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

from apps.core.text import require_legible, single_line


def validate_name(value: str) -> None:
    """Raise ValidationError unless the value is one legible line, or empty."""
    if value:
        _validated(single_line(max(len(value), 1)), value)


def validate_legible(value: str) -> None:
    """Raise ValidationError unless the text, of any number of lines, is legible or empty."""
    _validated(require_legible, value)


def _validated(validate: Any, value: str) -> str:
    try:
        return str(validate(value))
    except ValueError as error:
        raise ValidationError(str(error)) from None


if TYPE_CHECKING:
    _CharField = models.CharField[Any, str]
else:
    _CharField = models.CharField


class NameField(_CharField):
    """A CharField for names, titles and descriptions. To migrations it is a plain CharField."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.validators = [*self.validators, validate_name]

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", list(arguments), options

    def formfield(self, **options: Any) -> Any:
        field = super().formfield(**options)
        if field is not None and not self.choices:
            field.validators.append(validate_name)
        return field
