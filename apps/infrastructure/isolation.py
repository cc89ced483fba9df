"""Do the same work for several workspaces, so that one's failure is its own."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE

T = TypeVar("T")

log = get_logger(__name__)


def sum_each(items: Iterable[T], work: Callable[[T], int], *, event: str) -> int:
    """Return the sum of `work` over the items. A failure is logged as `event` and counts nothing.

    An outage of the database ends it: the other items would fail, too.
    """
    total = 0
    for item in items:
        try:
            total += work(item)
        except DATABASE_UNAVAILABLE:
            raise
        except Exception:
            log.exception(event, item=str(item))
    return total
