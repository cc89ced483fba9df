"""Admin lists answer only about what they show: no filter, order or completion reads more.

Models and columns are found in the admin site, so that a new one is covered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Field, ForeignKey, Model
from django.http import HttpRequest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.chatbots.models import Chatbot
from apps.infrastructure.admin import ReadOnlyAdmin, StaffAdmin
from tests.contracts.admin.admin_rows import admin_url
from tests.factories import make_team, make_user

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
LOOKUPS = ("", "__exact", "__startswith", "__icontains", "__regex", "__gte", "__isnull", "__in")


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


def columns(model: type[Model]) -> Iterator[str]:
    """The model's columns, and those of each model that it points to or that points to it."""
    for field in model._meta.get_fields():
        yield field.name
        if isinstance(field, Field):
            yield str(field.attname)
        if field.is_relation and field.related_model:
            for other in field.related_model._meta.get_fields():
                yield f"{field.name}__{other.name}"


def filtered_columns(model: type[Model]) -> set[str]:
    """The columns that the list's filters name."""
    named = admin.site._registry[model].list_filter
    paths = {str(each[0] if isinstance(each, tuple) else each) for each in named}
    return paths | {str(getattr(each, "parameter_name", "")) for each in named}


SHOWN_IN_WORDS = {"Adjustment": ["status"], "Lot": ["expires_at"]}
"""Excluded columns that a page shows in another form."""


def hidden_columns(model: type[Model]) -> list[str]:
    excluded = admin.site._registry[model].exclude or ()
    return [name for name in excluded if name not in SHOWN_IN_WORDS.get(model.__name__, [])]


@EACH_MODEL
def test_lookups_are_those_of_the_filters(model: type[Model], db: None) -> None:
    options = admin.site._registry[model]
    assert isinstance(options, StaffAdmin)
    allowed = {
        name
        for name in columns(model)
        for lookup in LOOKUPS
        if options.lookup_allowed(f"{name}{lookup}", "x", None)
    }
    without_ids = {name.removesuffix("__id") for name in allowed}
    assert without_ids <= filtered_columns(model)
    assert allowed.isdisjoint(hidden_columns(model))


@EACH_MODEL
def test_hidden_column_cannot_be_asked_about(staff: Client, model: type[Model]) -> None:
    address = admin_url(model, "changelist")
    asked = [*hidden_columns(model), "pk", "workspace__name", "nothing"]
    statuses = {
        name: staff.get(address, {f"{name}__startswith": "x"}).status_code for name in asked
    }
    assert statuses == dict.fromkeys(asked, 400)


@EACH_MODEL
def test_list_refuses_other_orders_and_keys(staff: Client, model: type[Model]) -> None:
    address, options = admin_url(model, "changelist"), admin.site._registry[model]
    found = {order_of(staff, address, wanted) for wanted in ("", "1", "-2.99.x")}
    if isinstance(options, ReadOnlyAdmin):
        assert len(found) == 1
    for field in model._meta.fields:
        assert options.to_field_allowed(HttpRequest(), field.name) is field.primary_key, field.name
    assert staff.get(address, {"_to_field": "created_at", "_popup": "1"}).status_code == 400


def order_of(staff: Client, address: str, wanted: str) -> tuple[str, ...]:
    page = staff.get(address, {"o": wanted})
    assert page.status_code == 200
    return tuple(map(str, page.context["cl"].queryset.query.order_by))


@EACH_MODEL
def test_completion_answers_for_declared_fields_only(staff: Client, model: type[Model]) -> None:
    options = admin.site._registry[model]
    for field in model._meta.fields:
        if isinstance(field, ForeignKey):
            response = complete(staff, field, term="x")
            declared = field.name in options.autocomplete_fields
            assert response.status_code == (200 if declared else 403), field.name


def complete(client: Client, field: Any, term: str) -> Any:
    query = {
        "app_label": field.model._meta.app_label,
        "model_name": field.model._meta.model_name,
        "field_name": field.name,
        "term": term,
    }
    return client.get(reverse("admin:autocomplete"), query)


def test_completion_needs_the_right_to_use_the_form(db: None) -> None:
    user = make_user("support", is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    client = Client()
    client.force_login(user)
    assert complete(client, Chatbot._meta.get_field("workspace"), "w").status_code == 403


def test_rows_have_no_public_address() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:view_on_site", args=[1, "x"])


def test_models_are_found_by_name_and_rows_are_not(staff: Client) -> None:
    team = make_team()
    search = reverse("admin:search")
    for extra in ({}, {"extended": "1"}):
        page = staff.get(search, {"s": "lead", "page": "x", **extra})
        assert (page.status_code, "/admin/leads/lead/" in page.content.decode()) == (200, True)
        page = staff.get(search, {"s": team.workspace.slug, **extra})
        assert team.workspace.slug not in page.content.decode()
