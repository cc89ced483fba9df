"""Lists of the dashboard: filtered by a form, paginated by a cursor, downloaded as CSV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from apps.api_kit.pagination import paginate_newest_first
from apps.core.errors import ValidationFailed
from apps.dashboard.forms.filters import FilterForm
from apps.reporting.csv_download import csv_response
from apps.workspaces.models import Member

M = TypeVar("M", bound=Model)
R = TypeVar("R")
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class ListPage(Generic[R]):
    """Rows, newest first, and the links to the first and the next page."""

    rows: list[R]
    first_url: str | None
    next_url: str | None


def paginate(
    request: HttpRequest,
    rows: QuerySet[M],
    *,
    limit: int = PAGE_SIZE,
    order_field: str = "created_at",
) -> ListPage[M]:
    """The page at `?cursor=`; an invalid cursor is ignored. The links keep the filters."""
    query = request.GET.copy()
    cursor: str | None = query.get("cursor") or None
    for name in [name for name, value in query.items() if not value or name == "cursor"]:
        del query[name]
    try:
        page = paginate_newest_first(rows, cursor=cursor, limit=limit, order_field=order_field)
    except ValidationFailed:
        cursor = None
        page = paginate_newest_first(rows, cursor=None, limit=limit, order_field=order_field)
    first_url = f"?{query.urlencode()}" if cursor else None
    next_url = None
    if page.next_cursor:
        query["cursor"] = page.next_cursor
        next_url = f"?{query.urlencode()}"
    return ListPage(page.rows, first_url, next_url)


def paginate_list(
    request: HttpRequest, rows: Sequence[R], *, limit: int = PAGE_SIZE
) -> ListPage[R]:
    """The page at `?page=`, from 1, of rows that are all in memory. An invalid one is the first."""
    query = request.GET.copy()
    text = query.pop("page", ["1"])[-1]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    first = (max(number, 1) - 1) * limit
    first_url = f"?{query.urlencode()}" if first else None
    next_url = None
    if len(rows) > first + limit:
        query["page"] = str(number + 1)
        next_url = f"?{query.urlencode()}"
    return ListPage(list(rows[first : first + limit]), first_url, next_url)


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredList(Generic[M]):
    """A workspace's list with a filter form, shown as pages and downloaded as CSV.

    `query(workspace_id, **filters)` returns the rows. `csv_columns` maps each column's header to
    the function that returns its cell.
    """

    form_class: type[FilterForm]
    query: Callable[..., QuerySet[M]]
    order_field: str = "created_at"
    csv_name: str = ""
    csv_columns: Mapping[str, Callable[[M], object]] = field(default_factory=dict)

    def load_page(self, request: HttpRequest, member: Member) -> tuple[FilterForm, ListPage[M]]:
        """The filter form and the page for the request's query string."""
        form, rows = self._filter(request, member)
        return form, paginate(request, rows, order_field=self.order_field)

    def csv_response(self, request: HttpRequest, member: Member) -> StreamingHttpResponse:
        """All rows that match the query string's filters, as a CSV file."""
        _, rows = self._filter(request, member)
        cells = self.csv_columns.values()
        return csv_response(
            f"{member.workspace.slug}-{self.csv_name}.csv",
            list(self.csv_columns),
            rows,
            lambda row: [cell(row) for cell in cells],
        )

    def _filter(self, request: HttpRequest, member: Member) -> tuple[FilterForm, QuerySet[M]]:
        form = self.form_class(member.workspace_id, request.GET)
        return form, self.query(member.workspace_id, **form.filters())
