"""Connections on which turns search, apart from those that every turn needs."""

from django.conf import settings

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

pool = LoopPool(
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
