"""Add indexes to tables that are being written to."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations.operations import AddIndex


class AddIndexOnline(AddIndexConcurrently):
    """Build an index while others write to the table. The migration needs `atomic = False`.

    In a transaction, in which tests run migrations, it is built as by AddIndex.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        operation = _operation(schema_editor)
        operation.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        operation = _operation(schema_editor)
        operation.database_backwards(self, app_label, schema_editor, from_state, to_state)


def _operation(schema_editor: Any) -> type[AddIndex]:
    in_transaction = schema_editor.connection.in_atomic_block
    return AddIndex if in_transaction else AddIndexConcurrently
