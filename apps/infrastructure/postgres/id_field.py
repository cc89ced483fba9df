"""The primary key field of every table."""

from django.db import models

from apps.core.ids import ID_LENGTH, new_id


class IdField(models.CharField):  # type: ignore[type-arg]
    """A primary key created by `new_id`, with the collation C (compared byte by byte)."""

    def __init__(self, **options: object) -> None:
        options |= {
            "primary_key": True,
            "max_length": ID_LENGTH,
            "default": new_id,
            "editable": False,
            "db_collation": "C",
        }
        super().__init__(**options)  # type: ignore[arg-type]

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, path, arguments, options = super().deconstruct()
        for fixed in ("primary_key", "max_length", "default", "editable", "db_collation"):
            options.pop(fixed, None)
        return name, path, list(arguments), options
