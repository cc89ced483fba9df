"""What Parley's admin pages share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.paginator import InfinitePaginator

from apps.core.ids import first_id_at
from apps.infrastructure.postgres.id_field import IdField

F = TypeVar("F", bound=Callable[..., Any])

MAX_RELATED_ROWS = 50
"""Rows of another table, such as workspaces, whose rows one search may show."""
MAX_WRITE_DELAY = timedelta(hours=3)
"""How long after its id was made a row may say that it was: a turn is read for leads later."""


def detail_action(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Makes a method a page about one row, with a button on it; list it in `actions_detail`.

    It opens to whom the method `has_<permission>_permission` lets in.
    """
    made = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", made)


def list_action(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Makes a method a page of its own, with a button on the list; list it in `actions_list`."""
    made = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", made)


def redirect_to_admin(name: str, **query: str) -> HttpResponse:
    """Leads on to another page of the admin, which may be another app's."""
    return redirect(f"{reverse(f'admin:{name}')}?{urlencode(query)}")


class StaffAdmin(ModelAdmin):  # type: ignore[misc]
    """A model that staff may edit. No list counts its table: pages lead to the next one."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    list_disable_select_all = True
    list_per_page = 50


class ReadOnlyAdmin(StaffAdmin):
    """A model that records what happened: to be read, never added to, changed or deleted.

    Its list may be as long as it likes: it is in the order of its ids, which is that of time, and
    each of `search_fields` is asked for the very words of the search, one after the other, until
    one has rows. So each needs an index, and so does what `list_filter` offers, unless most rows
    have it.
    """

    ordering = ["-pk"]
    sortable_by = ()
    workspace_ordering: Sequence[str] = ("-pk",)
    """The order of one workspace's rows, where its index has another than that of the ids."""
    search_conditions: Mapping[str, Mapping[str, Any]] = {}
    """What else is true of the rows that a way to search is for: its index has no others."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        for lookup in self.search_fields:
            within = self.search_conditions.get(lookup, {})
            found = queryset.filter(**within, **_asked(self.model, lookup.lstrip("="), term))
            if lookup.startswith("workspace__"):
                found = found.order_by(*self.workspace_ordering)
            # In the list's own order, so that the same index answers both.
            if found.values_list("pk", flat=True).first() is not None:
                return found, False
        return queryset.none(), False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _asked(model: type[Model], lookup: str, term: str) -> dict[str, Any]:
    """The filter for one way to search. Rows of another table are found there first, so that
    PostgreSQL knows how many rows of ours they have, and which index to take."""
    name, _, rest = lookup.partition("__")
    field = model._meta.get_field(name)
    if not (rest and field.is_relation and field.related_model):
        return {lookup: term}
    theirs = field.related_model._default_manager.filter(**{rest: term})
    return {f"{name}__in": list(theirs.values_list("pk", flat=True)[:MAX_RELATED_ROWS])}


class CreatedSinceFilter(admin.DateFieldListFilter):
    """Rows of the last days. As ids are in the order of time, it is a part of the ids' index that
    is read; rows written later about an earlier moment are found all the same."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = cast("QuerySet[Any]", super().queryset(request, queryset))
        since = self.used_parameters.get(self.lookup_kwarg_since)
        key: Any = queryset.model._meta.pk
        if since is None or not isinstance(getattr(key, "target_field", key), IdField):
            return found
        moment = datetime.fromisoformat(str(since[0] if isinstance(since, list) else since))
        return found.filter(pk__gte=first_id_at(moment - MAX_WRITE_DELAY))
