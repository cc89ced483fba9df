"""Base classes and helpers of the staff admin."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ORDER_VAR
from django.core.exceptions import ValidationError
from django.db.models import DateField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from apps.core.dates import check_day
from apps.core.ids import min_id_at
from apps.infrastructure.postgres.id_field import IdField

F = TypeVar("F", bound=Callable[..., Any])

MAX_RELATED_ROWS = 50
"""The most rows of a related table, such as workspaces, that one search follows."""
MAX_WRITE_DELAY = timedelta(hours=3)
"""How much later than its `created_at` a row may be written: turns are read for leads later."""
_FIRST_ID_AT = datetime(1970, 1, 2, tzinfo=UTC)


def detail_action(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Make a method a page about one row, with a button; add it to `actions_detail`.

    Access is checked by the method `has_<permission>_permission`.
    """
    decorator = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", decorator)


def list_action(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Make a method a page with a button on the list; add it to `actions_list`."""
    decorator = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", decorator)


def redirect_to_admin(name: str, **query: str) -> HttpResponse:
    """Redirect to a page of the admin."""
    return redirect(f"{reverse(f'admin:{name}')}?{urlencode(query)}")


class StaffChangeList(ChangeList):  # type: ignore[misc]
    """A list whose order can be changed only by the columns that offer it."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        if not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
        return cast("list[Any]", super().get_ordering(request, queryset))


class StaffAdmin(ModelAdmin):  # type: ignore[misc]
    """A model that staff may edit. Lists do not count their table: pages link to the next one.

    A page answers only about what it shows. Django would filter a list by every column of its
    table, so that `?text__startswith=` reads a column that is excluded from all pages.
    """

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    list_disable_select_all = True
    list_per_page = 50
    view_on_site = False

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[ChangeList]:
        return StaffChangeList

    def lookup_allowed(
        self, lookup: str, value: object, request: HttpRequest | None = None
    ) -> bool:
        """Allow the parameters of the list's own filters, and no other field or relation."""
        return lookup in self._filter_parameters(request)

    def _filter_parameters(self, request: HttpRequest | None) -> frozenset[str]:
        names: set[str] = set()
        for each in self.get_list_filter(request):
            if isinstance(each, type):
                names.add(str(getattr(each, "parameter_name", "")))
                continue
            path, make = each if isinstance(each, tuple) else (each, admin.FieldListFilter.create)
            field = get_fields_from_path(self.model, path)[-1]
            created = make(field, request, {}, self.model, self, field_path=path)
            names.update(created.expected_parameters())
        return frozenset(names)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return the row, or None, also for an id that PostgreSQL cannot store."""
        if "\x00" in object_id:
            return None
        return super().get_object(request, object_id, from_field)

    def get_object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row that a page is about. Raises Http404."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def render_page(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        *,
        has_errors: bool = False,
        **context: Any,
    ) -> TemplateResponse:
        """Render `admin/<template>.html` in the admin's frame, with status 422 if it has errors."""
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        status = 422 if has_errors else 200
        return TemplateResponse(request, f"admin/{template}.html", context, status=status)


class ReadOnlyAdmin(StaffAdmin):
    """A model that staff may view but not add, change or delete, in tables of any size.

    The list is ordered by id, which is the order of time. A search compares each of `search_fields`
    exactly, one after the other, until one has rows. So each needs an index, and so does each of
    `list_filter`, unless most rows match it.
    """

    ordering = ["-pk"]
    sortable_by = ()
    workspace_ordering: Sequence[str] = ("-pk",)
    """The order of one workspace's rows, if their index is not ordered by id."""
    search_conditions: Mapping[str, Mapping[str, Any]] = {}
    """Conditions to add to a search field because its index is partial."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        for lookup in self.search_fields:
            conditions = self.search_conditions.get(lookup, {})
            try:
                search = _search_filter(self.model, lookup.lstrip("="), term)
                found = queryset.filter(**conditions, **search)
            except (ValueError, ValidationError):
                continue  # no value of this column
            if lookup.startswith("workspace__"):
                found = found.order_by(*self.workspace_ordering)
            # In the list's own order, so that the same index serves both queries.
            if found.values_list("pk", flat=True).first() is not None:
                return found, False
        return queryset.none(), False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _search_filter(model: type[Model], lookup: str, term: str) -> dict[str, Any]:
    """The filter for one search field. Related rows are fetched first, so that PostgreSQL knows how
    many rows of this table they have, and which index to use."""
    name, _, rest = lookup.partition("__")
    field = model._meta.get_field(name)
    if not (rest and field.is_relation and field.related_model):
        return {lookup: term}
    related = field.related_model._default_manager.filter(**{rest: term})
    return {f"{name}__in": list(related.values_list("pk", flat=True)[:MAX_RELATED_ROWS])}


class BoundedDateFilter(admin.DateFieldListFilter):
    """Django's filter of days, for moments that PostgreSQL and Python can compute with.

    Others are refused like text that is no day: the list is shown without the filter.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given: dict[str, Any] = self.used_parameters
        for name in {self.lookup_kwarg_since, self.lookup_kwarg_until} & given.keys():
            given[name] = [self._bounded(each) for each in given[name]]
        return cast("QuerySet[Any]", super().queryset(request, queryset))

    def _bounded(self, value: Any) -> Any:
        try:
            day = self.field.to_python(value)
            if isinstance(day, datetime):
                day = day.replace(tzinfo=day.tzinfo or UTC).astimezone(UTC)
            check_day(day)
        except (ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from None
        return day


admin.FieldListFilter.register(
    lambda field: isinstance(field, DateField), BoundedDateFilter, take_priority=True
)


class CreatedSinceFilter(BoundedDateFilter):
    """Rows of the last days, by a range of ids, which are ordered by time.

    Rows that were written up to MAX_WRITE_DELAY later are found, too.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        since: Any = self.used_parameters.get(self.lookup_kwarg_since)
        key: Any = queryset.model._meta.pk
        if not since or not isinstance(getattr(key, "target_field", key), IdField):
            return found
        first = max(since[0], _FIRST_ID_AT)
        return found.filter(pk__gte=min_id_at(first - MAX_WRITE_DELAY))
