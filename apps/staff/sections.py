"""Sections of admin pages: titled tables, each with the permission that it needs."""

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
"""Rows of a table. The linked list has all of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table. `empty_text` is shown without rows; `list_url` links to all rows."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty_text: str
    list_url: str = ""

    @property
    def table(self) -> Mapping[str, Any]:
        """The context of the admin's table component."""
        return {"headers": self.headers, "rows": self.rows}


SectionBuilder = tuple[str, Callable[..., Section]]
"""The permission that a section needs, as `app.codename`, and the function that builds it."""


def permitted_sections(
    builders: Iterable[SectionBuilder], viewer: User, *arguments: Any
) -> list[Section]:
    """Build the sections that the user may see; no queries are made for the others."""
    return [build(*arguments) for permission, build in builders if viewer.has_perm(permission)]


def admin_link(row: Model, text: object | None = None) -> SafeString:
    """Return a link to the admin page of a row, with its name or the given text."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]),
        row if text is None else text,
    )


def admin_list_url(model: type[Model], **filters: str) -> str:
    """Return the URL of a model's admin list, with filters."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def format_time(time: datetime | None) -> str:
    """Format a time in UTC with minutes."""
    return "—" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
