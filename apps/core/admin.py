"""What Parley's admin pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import action

F = TypeVar("F", bound=Callable[..., Any])


def row_page(*, description: str, permission: str, icon: str) -> Callable[[F], F]:
    """Makes a method a page about one row, with a button on it; list it in `actions_detail`.

    It opens to whom the method `has_<permission>_permission` lets in.
    """
    made = action(description=description, permissions=[permission], icon=icon)
    return cast("Callable[[F], F]", made)


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
