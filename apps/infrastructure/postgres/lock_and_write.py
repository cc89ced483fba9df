"""Lock rows in one statement and write in the next, in one network round trip.

In READ COMMITTED a statement sees what was committed when it began. One that locks and writes goes
on after a wait with what it saw before it: PostgreSQL checks constraints on a row computed from old
values, and conditions on other rows are not evaluated again. A second statement of the transaction
begins after the wait, and sees what it waited for.

Both are sent in libpq's pipeline mode: on an autocommit connection all that is sent before a sync
is one transaction, in which each statement has its own snapshot (decision 0023). psycopg's own
pipeline returns to the event loop several times for each statement; this one waits once. The module
does not import Django, so that `bench/floor` can use it.
"""

from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Statement = tuple[str, str]
"""A statement with one `%s`, and that parameter as text."""

_SYNCED = ExecStatus.PIPELINE_SYNC


class LockingConnection(psycopg.AsyncConnection[Any]):
    """An autocommit connection that executes a lock and a write in one transaction."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._names: dict[str, bytes] = {}

    async def lock_and_write(self, lock: Statement, write: Statement) -> list[tuple[Any, ...]]:
        """Execute both statements, prepared, and commit. Returns the rows of `write`.

        Raises psycopg's error of the first that fails; nothing is written then.
        """
        for text, _ in (lock, write):
            if text not in self._names:
                await self.wait(self._prepare(text))
        try:
            results = await self.wait(self._execute(lock, write))
        except BaseException:
            self.pgconn.finish()  # lost or cancelled: what remains to be read is unknown
            raise
        for result in results:
            if result.status != ExecStatus.TUPLES_OK:
                raise error_from_result(result)
        written = results[1]
        rows = Transformer(self)
        rows.set_pgresult(written)
        return rows.load_rows(0, written.ntuples, tuple)

    def _prepare(self, text: str) -> PQGen[None]:
        """Prepare a statement, by the protocol: a pooler does not see what SQL prepares."""
        name = f"lock_and_write_{len(self._names)}".encode()
        self.pgconn.send_prepare(name, text.replace("%s", "$1").encode())
        yield from send(self.pgconn)
        for result in (yield from fetch_many(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)
        self._names[text] = name

    def _execute(self, *statements: Statement) -> PQGen[list[PGresult]]:
        self.pgconn.enter_pipeline_mode()
        for text, parameter in statements:
            self.pgconn.send_query_prepared(self._names[text], [parameter.encode()])
        self.pgconn.pipeline_sync()
        yield from send(self.pgconn)
        results: list[PGresult] = []
        while (found := (yield from fetch_many(self.pgconn))) and found[0].status != _SYNCED:
            results += found  # one for each statement, and one if the commit failed
        if not found:
            raise psycopg.OperationalError("the connection was lost before the commit")
        self.pgconn.exit_pipeline_mode()
        return results
