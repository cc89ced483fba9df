"""What Parley's admin pages share."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin

M = TypeVar("M", bound=Model)


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
