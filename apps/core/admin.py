"""What Parley's admin pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

F = TypeVar("F", bound=Callable[..., Any])


def row_page(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Makes a method a page about one row, with a button on it; list it in `actions_detail`.

    It opens to whom the method `has_<permission>_permission` lets in.
    """
    made = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", made)


def list_page(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Makes a method a page of its own, with a button on the list; list it in `actions_list`."""
    made = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", made)


def to_page(name: str, **query: str) -> HttpResponse:
    """Leads on to another page of the admin, which may be another app's."""
    return redirect(f"{reverse(f'admin:{name}')}?{urlencode(query)}")


class StaffAdmin(ModelAdmin):  # type: ignore[misc]
    """A model that staff may edit. Lists stay quick when tables grow: no total is counted."""

    show_full_result_count = False
    list_per_page = 50


class HistoryAdmin(StaffAdmin):
    """A model that records what happened: to be read, never added to, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
