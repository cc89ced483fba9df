"""Connections on which turns search, apart from those that every turn needs.

Workspaces take turns at them, so that one that searches a lot delays another by one search.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.infrastructure.concurrency.fair_slots import FairSlots, SlotRefused
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.errors import DatabaseUnavailable
from apps.infrastructure.postgres.pool import LoopPool

SETTINGS = {
    # How many neighbours an HNSW index looks at first, and that it goes on if too few are of the
    # base. What is a little out of order then is put right by the statement.
    "hnsw.ef_search": "800",
    "hnsw.iterative_scan": "relaxed_order",
    # What an index yields in order is not to be read otherwise and sorted.
    "enable_sort": "off",
    "jit": "off",
}
MAX_CONNECTIONS = 4
MAX_PER_WORKSPACE = 2
_MAX_WAITING = 1_000
"""Searches of one workspace that wait in a process."""

_slots = PerLoop(
    lambda: FairSlots(
        MAX_CONNECTIONS,
        per_client=MAX_PER_WORKSPACE,
        max_waiting=_MAX_WAITING,
        wait_seconds=settings.KNOWLEDGE_RETRIEVAL_SECONDS,
    )
)
_pool = LoopPool(
    size=MAX_CONNECTIONS,
    settings=" ".join(
        f"-c {name}={value}"
        for name, value in (
            *SETTINGS.items(),
            # A turn goes on without what comes later.
            ("statement_timeout", round(settings.KNOWLEDGE_RETRIEVAL_SECONDS * 1000)),
            # Planning takes longer than searching a small base. A prepared plan knows no sizes, so
            # it must not read whole tables.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
        )
    ),
)

SET_LOCAL = f"SELECT {', '.join('set_config(%s, %s, true)' for _ in SETTINGS)}"
SET_LOCAL_VALUES = [value for pair in SETTINGS.items() for value in pair]


async def execute(
    workspace_id: str, statement: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Execute a search of a workspace when it is its turn, and return the rows.

    Raises psycopg's errors, or DatabaseUnavailable when it was not tried.
    """
    slots = _slots.get()
    try:
        await slots.acquire(workspace_id)
    except SlotRefused:
        raise DatabaseUnavailable("no connection became free") from None
    try:
        return await _pool.execute(statement, values)
    finally:
        slots.release(workspace_id)
