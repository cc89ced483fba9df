from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import IsoDate, PageCursor, PageLimit, SuccessSchema
from apps.credits.models import EntryKind
from apps.credits.queries import balance_for, ledger_entries_for
from apps.credits.schemas import CreditsSchema, LedgerEntrySchema, LedgerPageSchema

router = Router(tags=["credits"], by_alias=True)


@router.get("/credits", auth=ApiKeyAuth(Scope.READ), response=SuccessSchema[CreditsSchema])
def get_credits(request: HttpRequest) -> SuccessSchema[CreditsSchema]:
    """The workspace's credits: all of them, and the part that running turns hold."""
    credits = balance_for(get_caller(request).workspace_id)
    return SuccessSchema(data=CreditsSchema.from_row(credits))


@router.get(
    "/credits/ledger", auth=ApiKeyAuth(Scope.READ), response=SuccessSchema[LedgerPageSchema]
)
def list_ledger_entries(
    request: HttpRequest,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
    kind: EntryKind | None = None,
    since: Annotated[IsoDate | None, Query(description="The first day, whole and in UTC.")] = None,
    until: Annotated[IsoDate | None, Query(description="The last day, whole and in UTC.")] = None,
) -> SuccessSchema[LedgerPageSchema]:
    """Every movement of the workspace's credits, newest first, or those of a kind or some days."""
    entries = ledger_entries_for(
        get_caller(request).workspace_id,
        kind=kind,
        since=None if since is None else datetime.combine(since, time(), UTC),
        before=_end_of_day(until),
    )
    page = paginate_newest_first(entries, cursor=cursor, limit=limit)
    rows = [LedgerEntrySchema.of(entry) for entry in page.rows]
    return SuccessSchema(data=LedgerPageSchema(entries=rows, next_cursor=page.next_cursor))


def _end_of_day(day: date | None) -> datetime | None:
    """Return the end of the day in UTC; None for no day and for the last possible one."""
    if day is None or day == date.max:
        return None
    return datetime.combine(day + timedelta(days=1), time(), UTC)
