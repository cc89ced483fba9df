"""Each staff group can do in the admin what docs/reference/staff-roles.md says, and no more.

Pages and actions are found in the admin site; a new one that is not in the tables fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from apps.accounts.models import User
from apps.accounts.staff_roles import GROUP_PERMISSIONS
from apps.adjustments.lines import lines_for
from apps.adjustments.previews import preview_adjustment
from apps.credits.models import LedgerEntry
from tests.adjustments.adjustment_factories import make_pending_adjustment
from tests.contracts.admin.admin_rows import AdminRows, admin_url
from tests.contracts.app_boundaries import ROOT
from tests.factories import make_user

GROUPS = [*GROUP_PERMISSIONS, "superuser"]
RIGHTS = ("view", "add", "change", "delete")
STANDARD = {"changelist", "add", "history", "delete", "change"}

Cells = dict[str, dict[str, str]]


@cache
def table(heading: str) -> Cells:
    """A table of the docs page: row → group → cell."""
    page = (ROOT / "docs" / "reference" / "staff-roles.md").read_text()
    lines = page.split(f"## {heading}\n")[1].split("\n## ")[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    groups = rows[0][1:]
    return {row[0].strip("`"): dict(zip(groups, row[1:], strict=True)) for row in rows[2:]}


@pytest.fixture(params=GROUPS)
def actor(request: pytest.FixtureRequest, db: None) -> tuple[str, User]:
    """A group and a user in it."""
    group: str = request.param
    user = make_user("staff", is_staff=True, is_superuser=group == "superuser")
    if group != "superuser":
        user.groups.add(Group.objects.get(name=group))
    return group, user


def registered() -> list[type[Model]]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def a_row(rows: AdminRows, model: type[Model]) -> str | None:
    """The key of a row of the model, one of ours or of a library; None if there is none."""
    if model in rows.keys:
        return rows.first(model)
    row = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
    return None if row is None else str(row)


def rights(client: Client, rows: AdminRows, model: type[Model]) -> str:
    """The rights of this client on the model, found by requesting each page."""
    row = a_row(rows, model)
    assert row is not None, f"make_admin_rows() creates no {model.__name__}"
    page = client.get(admin_url(model, "change", row))
    found = {
        "view": client.get(admin_url(model, "changelist")).status_code == 200 == page.status_code,
        "add": client.get(admin_url(model, "add")).status_code == 200,
        "change": page.status_code == 200 and 'name="_save"' in page.content.decode(),
        "delete": client.get(admin_url(model, "delete", row)).status_code == 200,
    }
    return ", ".join(right for right in RIGHTS if found[right]) or "—"


def test_group_has_the_documented_rights_only(actor: tuple[str, User], rows: AdminRows) -> None:
    group, user = actor
    client = Client()
    client.force_login(user)
    models = registered()
    documented = table("Models")
    assert sorted(documented) == sorted(model._meta.label for model in models)
    found = {model._meta.label: rights(client, rows, model) for model in models}
    assert found == {name: cells[group] for name, cells in documented.items()}


def pages() -> Iterator[tuple[type[Model], URLPattern]]:
    """Every page of a model besides Django's own five."""
    for model, options in admin.site._registry.items():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        for pattern in options.urls:
            if pattern.name and pattern.name.removeprefix(prefix) not in STANDARD:
                yield model, pattern


def access(status: int) -> str:
    """`yes` if the page was shown, possibly with form errors."""
    return "yes" if status in (200, 422) else "—"


def test_page_is_accessible_to_the_documented_groups(
    actor: tuple[str, User], rows: AdminRows
) -> None:
    group, user = actor
    client = Client()
    client.force_login(user)
    found, posted = {}, {}
    for model, pattern in pages():
        arguments = [a_row(rows, model)] if "<" in str(pattern.pattern) else []
        address = reverse(f"admin:{pattern.name}", args=arguments)
        found[str(pattern.name)] = access(client.get(address, follow=True).status_code)
        posted[str(pattern.name)] = access(client.post(address, {}, follow=True).status_code)
    assert found == {name: cells[group] for name, cells in table("Pages").items()}
    assert posted == found


def test_inaccessible_page_rejects_submissions(actor: tuple[str, User], rows: AdminRows) -> None:
    """A user who may not see a page cannot submit its form either."""
    group, user = actor
    request = make_pending_adjustment(rows.team.workspace, 2_000_000)
    client = Client()
    client.force_login(user)
    before = LedgerEntry.objects.count()
    for name, cells in table("Pages").items():
        if cells[group] == "—" and name.startswith("adjustments_"):
            arguments = [request.pk] if name.endswith("decide") else []
            address = reverse(f"admin:{name}", args=arguments)
            fingerprint = preview_adjustment(
                lines=lines_for(request), user=request.requested_by
            ).fingerprint
            answer = client.post(address, {"fingerprint": fingerprint, "approve": "1"})
            assert answer.status_code == 403, name
    request.refresh_from_db()
    assert (request.status, LedgerEntry.objects.count()) == ("pending", before)


def test_action_is_not_executed_for_other_groups(actor: tuple[str, User], rows: AdminRows) -> None:
    """An action that is not offered is not executed when it is submitted."""
    group, user = actor
    client = Client()
    client.force_login(user)
    for name, cells in table("Actions").items():
        if cells[group] != "—":
            continue
        label, action = name.split(": ")
        model = apps.get_model(label)
        selected = {"action": action, "_selected_action": rows.keys[model]}
        before = list(model._default_manager.order_by("pk").values())
        client.post(admin_url(model, "changelist"), selected)
        assert list(model._default_manager.order_by("pk").values()) == before, name


def test_action_is_offered_to_the_documented_groups(actor: tuple[str, User]) -> None:
    group, user = actor
    request = RequestFactory().get("/")
    request.user = user
    found = {}
    for model, options in admin.site._registry.items():
        offered = options.get_actions(request)
        for _, name, _ in options._get_base_actions():  # type: ignore[attr-defined]
            if name != "delete_selected":
                found[f"{model._meta.label}: {name}"] = "yes" if name in offered else "—"
    assert found == {name: cells[group] for name, cells in table("Actions").items()}


def test_bulk_deletion_requires_the_delete_right(actor: tuple[str, User]) -> None:
    group, user = actor
    request = RequestFactory().get("/")
    request.user = user
    found = {
        model._meta.label
        for model, options in admin.site._registry.items()
        if "delete_selected" in options.get_actions(request)
    }
    assert found == {name for name, cells in table("Models").items() if "delete" in cells[group]}


def test_staff_without_a_group_see_nothing(rows: AdminRows) -> None:
    client = Client()
    client.force_login(make_user("staff", is_staff=True))
    assert {rights(client, rows, model) for model in registered()} == {"—"}


def test_migrate_resets_the_rights_of_groups(
    db: None, django_db_blocker: Callable[[], None]
) -> None:
    support = Group.objects.get(name="support")
    before = set(support.permissions.values_list("codename", flat=True))
    support.permissions.add(Permission.objects.get(codename="delete_workspace"))
    support.permissions.remove(Permission.objects.get(codename="view_workspace"))
    call_command("migrate", verbosity=0)
    assert set(support.permissions.values_list("codename", flat=True)) == before
