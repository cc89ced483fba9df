"""Django's database backend for PostgreSQL, with connections that fail quickly.

Set `OPTIONS["pool"]` to {"max_size": connections, "wait_seconds": for a free one}.
"""

from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base

from apps.infrastructure.postgres.connections import Connection
from apps.infrastructure.postgres.thread_connections import ThreadConnections


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes its connections from `ThreadConnections`."""

    _connection_pools: dict[str, ThreadConnections] = {}

    @property
    def pool(self) -> ThreadConnections | None:
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            self._connection_pools.setdefault(
                self.alias, ThreadConnections(self._connect, **options)
            )
        return self._connection_pools[self.alias]

    def _connect(self) -> Connection:
        parameters: dict[str, Any] = self.get_connection_params()
        connection = Connection.connect(**{**parameters, "autocommit": True})
        self._configure_connection(connection)  # type: ignore[attr-defined] # not in the stubs
        return connection

    def is_usable(self) -> bool:
        """Whether the connection answers. False at once for one that is not trusted any more."""
        is_trusted = not isinstance(self.connection, Connection) or not self.connection.age.is_over
        return is_trusted and bool(super().is_usable())
