"""Whatever people name is validated alike: fields of models, forms and REST bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import get_resolver
from pydantic import TypeAdapter
from pydantic import ValidationError as InvalidBody

from apps.accounts.second_factor_forms import AddPasskeyForm, EditPasskeyForm
from apps.api_kit.schemas import RequestSchema
from apps.dashboard.forms.filters import FilterForm
from apps.dashboard.views.home import SampleForm
from apps.infrastructure.names import NameField

NAMES = {"name", "title", "description", "source", "file_name", "workspace_name", "label"}
ILLEGIBLE = ("\u200b", "\u3164", "\u0301", "a\u202egnp.exe", "a\u2066b", "a\u2028b")
NOT_CHECKED = (FilterForm, SampleForm, AddPasskeyForm, EditPasskeyForm)


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def named_model_fields() -> list[models.Field[Any, Any]]:
    return [
        field
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
        for field in model._meta.get_fields()
        if isinstance(field, models.CharField) and field.name in NAMES and not field.choices
    ]


def named_form_fields() -> list[tuple[str, forms.Field]]:
    """The fields of all forms but filters and the style guide's, which save nothing. Passkeys'
    add their check later: a new one is not refused for its name."""
    get_resolver().url_patterns  # noqa: B018 - imports every form
    return [
        (f"{form.__name__}.{name}", field)
        for form in subclasses(forms.BaseForm)
        if form.__module__.startswith("apps.") and not issubclass(form, NOT_CHECKED)
        for name, field in getattr(form, "base_fields", {}).items()
        if name in NAMES and type(field).__name__ != "ChoiceField"
    ]


def named_body_fields() -> list[tuple[str, Any]]:
    get_resolver().url_patterns  # noqa: B018 - imports every schema
    return [
        (f"{schema.__name__}.{name}", field)
        for schema in subclasses(RequestSchema)
        for name, field in schema.model_fields.items()
        if name in NAMES
    ]


def test_fields_of_models_are_name_fields() -> None:
    fields = named_model_fields()
    assert [str(field) for field in fields if not isinstance(field, NameField)] == []
    assert len(fields) >= 10


@pytest.mark.parametrize("text", ILLEGIBLE)
def test_models_refuse_illegible_names(text: str) -> None:
    for field in named_model_fields():
        with pytest.raises(ValidationError):
            field.clean(text, None)


@pytest.mark.parametrize("text", ILLEGIBLE)
def test_forms_refuse_illegible_names(text: str) -> None:
    fields = named_form_fields()
    assert len(fields) >= 6
    for name, field in fields:
        try:
            field.clean(text)
        except ValidationError:
            continue
        raise AssertionError(name)


@pytest.mark.parametrize("text", ILLEGIBLE)
def test_passkeys_are_not_renamed_illegibly(text: str) -> None:
    passkey = Authenticator(type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"})
    field = EditPasskeyForm(instance=passkey).fields["name"]
    assert field.clean("Phone") == "Phone"
    with pytest.raises(ValidationError):
        field.clean(text)


@pytest.mark.parametrize("text", ILLEGIBLE)
def test_bodies_refuse_illegible_names(text: str) -> None:
    fields = named_body_fields()
    assert len(fields) >= 6
    for name, field in fields:
        if name.endswith(".description") and "\u2028" in text:
            continue  # may have several lines
        annotated = TypeAdapter(field.rebuild_annotation())
        try:
            annotated.validate_python(text, strict=True)
        except InvalidBody:
            continue
        raise AssertionError(name)
