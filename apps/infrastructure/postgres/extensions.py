"""Extensions of PostgreSQL that migrations of several apps need."""

from django.db.migrations.operations import RunSQL


class SharedExtension(RunSQL):
    """Create an extension unless it is there. Reversing drops it unless something still uses it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"CREATE EXTENSION IF NOT EXISTS {name}",
            f"""
            DO $$ BEGIN
              DROP EXTENSION IF EXISTS {name};
            EXCEPTION WHEN dependent_objects_still_exist THEN NULL;
            END $$
            """,
        )
        self.name = name

    def describe(self) -> str:
        return f"Create the extension {self.name}"
