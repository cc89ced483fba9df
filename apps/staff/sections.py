"""A part of an admin page: a table that is shown to who may see its rows anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.accounts.models import User

MAX_ROWS = 10
"""Rows of a table; the list behind it has the rest."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table. `empty_text` is said in place of no rows; `list_url` is the address of the list."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty_text: str
    list_url: str = ""

    @property
    def table(self) -> Mapping[str, Any]:
        """The rows as the admin's table component takes them."""
        return {"headers": self.headers, "rows": self.rows}


SectionBuilder = tuple[str, Callable[..., Section]]
"""The permission that a section needs, as `app.codename`, and what makes it."""


def permitted_sections(
    parts: Iterable[SectionBuilder], viewer: User, *arguments: Any
) -> list[Section]:
    """The sections that the person may see. Nothing is read for the others."""
    return [make(*arguments) for permission, make in parts if viewer.has_perm(permission)]


def admin_link(row: Model, text: object | None = None) -> SafeString:
    """A row's name, leading to its page in the admin."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]),
        row if text is None else text,
    )


def admin_list_url(model: type[Model], **filters: str) -> str:
    """The address of a model's list in the admin."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def format_time(moment: datetime | None) -> str:
    """A moment to the minute, in UTC."""
    return "—" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
