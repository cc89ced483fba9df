from typing import Any

from django.apps import apps
from django.db import DatabaseError, transaction
from django.db.models import Field, Model, Q

from apps.core.text import SINGLE_LINE_PATTERN, legible_file_name
from apps.infrastructure.commands import OperatorCommand
from apps.infrastructure.names import NameField

UNNAMED = "Unnamed"


class Command(OperatorCommand):
    help = "Make names legible that were stored before blank and reversed ones were refused."

    def run(self, **_: Any) -> dict[str, Any]:
        """Return how many names of each column were changed, and how many could not be."""
        found: dict[str, Any] = {}
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, NameField):
                    changed, left = _repair(model, field)
                    if changed or left:
                        column = f"{model._meta.label}.{field.name}"
                        found[column] = {"changed": changed, "left": left}
        return found or {"names": "all legible"}


def _repair(model: type[Model], field: "Field[Any, Any]") -> tuple[int, int]:
    is_legible = Q(**{f"{field.name}__regex": SINGLE_LINE_PATTERN}) | Q(**{field.name: ""})
    rows = model._default_manager.exclude(is_legible).values_list("pk", field.name)
    counts = [0, 0]
    for key, name in list(rows):
        default = "" if field.blank else UNNAMED
        row = model._default_manager.filter(**{"pk": key, field.name: name})
        try:
            with transaction.atomic():
                row.update(**{field.name: legible_file_name(name, default=default)})
        except DatabaseError:  # a record that never changes, or a name that is taken
            counts[1] += 1
        else:
            counts[0] += 1
    return counts[0], counts[1]
