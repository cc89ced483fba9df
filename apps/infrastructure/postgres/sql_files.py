"""Run SQL files from migrations."""

from pathlib import Path
from typing import Any

from django.db.migrations.operations import RunSQL


class RunSQLFile(RunSQL):
    """Run `sql/NAME.sql` beside a migration, given as `RunSQLFile(__file__, "NAME")`.

    The file has two parts: the statements after the line `-- up`, and after the line `-- down`
    those that undo them.
    """

    def __init__(self, migration: str, name: str) -> None:
        text = (Path(migration).parent / "sql" / f"{name}.sql").read_text()
        up, down = text.split("\n-- up\n")[1].split("\n-- down\n")
        super().__init__(up, down)
        self.name = name

    def describe(self) -> str:
        return f"Run {self.name}.sql"

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Run the first part, after the indexes and constraints of the migration's own tables.

        Django defers those to the end of the migration, and the file may need them.
        """
        while schema_editor.deferred_sql:
            schema_editor.execute(schema_editor.deferred_sql.pop(0))
        super().database_forwards(app_label, schema_editor, from_state, to_state)
