"""The catalogue of embedding models: seeded rows, the default, and what never changes."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.chatbots.models import EmbeddingModel
from apps.chatbots.queries import default_embedding_model, get_embedding_model_by_name
from apps.chatbots.services import save_embedding_model
from apps.llm.embeddings.sandbox import SANDBOX_DIMENSIONS, SANDBOX_EMBEDDING_MODELS
from tests.factories import make_user
from tests.factories.embedding_models import make_embedding_model

SERVER: dict[str, Any] = {
    "litellm_model": "openai/e5",
    "api_base": "http://host:8000/v1",
    "dimensions": 384,
}


def test_migrations_create_the_sandbox_models(db: None) -> None:
    rows = EmbeddingModel.objects.filter(name__startswith="sandbox/")
    assert dict(rows.values_list("name", "description")) == dict(SANDBOX_EMBEDDING_MODELS)
    for model in rows:
        assert (model.litellm_model, model.provider, model.provider_model, model.dimensions) == (
            model.name,
            "sandbox",
            model.name,
            SANDBOX_DIMENSIONS,
        )


def test_sandbox_is_the_default_until_there_is_another(db: None) -> None:
    assert default_embedding_model() == EmbeddingModel.objects.get(name="sandbox/embed")
    make_embedding_model()
    assert default_embedding_model() == EmbeddingModel.objects.get(name="sandbox/embed")
    first = make_embedding_model(**SERVER)
    make_embedding_model(**SERVER)
    assert default_embedding_model() == first


def test_new_default_replaces_the_old_one(db: None) -> None:
    first, second = make_embedding_model(**SERVER), make_embedding_model(**SERVER)
    second.is_default = True
    save_embedding_model(model=second)
    assert list(EmbeddingModel.objects.filter(is_default=True)) == [second]
    first.refresh_from_db()
    assert first.is_default is False


@pytest.mark.parametrize("changes", [{"is_default": False}, {"is_active": False}])
def test_default_is_not_given_up(db: None, changes: dict[str, Any]) -> None:
    model = make_embedding_model(**SERVER)
    for name, value in changes.items():
        setattr(model, name, value)
    with pytest.raises(ValidationError) as raised:
        save_embedding_model(model=model)
    assert list(raised.value.message_dict) == list(changes)
    assert default_embedding_model() == model


@pytest.mark.parametrize(
    ("field", "value"),
    [("dimensions", 512), ("litellm_model", "openai/other"), ("passage_prefix", "passage: ")],
)
def test_what_vectors_depend_on_never_changes(db: None, field: str, value: object) -> None:
    model = make_embedding_model(**SERVER)
    with (
        pytest.raises(IntegrityError, match="keeps its model id, dimensions and passage prefix"),
        transaction.atomic(),
    ):
        EmbeddingModel.objects.filter(pk=model.pk).update(**{field: value})
    setattr(model, field, value)
    with pytest.raises(ValidationError) as raised:
        save_embedding_model(model=model)
    assert list(raised.value.message_dict) == [field]


def test_other_fields_can_change(db: None) -> None:
    model = make_embedding_model(**SERVER)
    model.api_base, model.query_prefix, model.credits_per_1k_tokens = "http://b/v1", "query: ", 3
    save_embedding_model(model=model)
    model.refresh_from_db()
    assert (model.api_base, model.query_prefix, model.credits_per_1k_tokens) == (
        "http://b/v1",
        "query: ",
        3,
    )


def test_dimensions_are_required_where_they_are_unknown(db: None) -> None:
    with pytest.raises(ValidationError) as raised:
        make_embedding_model("openai/e5", api_base="http://host:8000/v1")
    assert list(raised.value.message_dict) == ["dimensions"]


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("chatbots_embedding_max_input_in_range", {"max_input_tokens": 31}),
        ("chatbots_embedding_batch_size_in_range", {"batch_size": 0}),
        ("chatbots_embedding_batch_size_in_range", {"batch_size": 2049}),
        ("chatbots_default_embedding_model_is_active", {"is_default": True, "is_active": False}),
        ("chatbots_one_default_embedding_model", {"is_default": True}),
    ],
)
def test_database_rejects_invalid_rows(db: None, constraint: str, fields: dict[str, Any]) -> None:
    model = make_embedding_model()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        EmbeddingModel.objects.filter(pk=model.pk).update(**fields)


@pytest.mark.parametrize("dimensions", [0, 4001])
def test_database_rejects_dimensions_that_cannot_be_indexed(db: None, dimensions: int) -> None:
    model = make_embedding_model()
    model.pk = None
    model.name, model.dimensions = "another", dimensions
    constraint = "chatbots_embedding_dimensions_in_range"
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.save(force_insert=True)


def test_name_of_an_inactive_model_is_not_found(db: None) -> None:
    model = make_embedding_model(is_active=False)
    with pytest.raises(ValueError, match="There is no active embedding model"):
        get_embedding_model_by_name(model.name)


def run_command(*line: str) -> dict[str, Any]:
    out = StringIO()
    call_command("add_embedding_model", *line, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_command_adds_a_model_with_every_option(db: None, settings: Any) -> None:
    settings.MODEL_API_KEYS = {"MY_KEY": ("http://host",)}
    found = run_command(
        *("E5", "--litellm-model", "openai/e5", "--api-base", "http://host/v1/"),
        *("--api-key-env", "MY_KEY", "--dimensions", "384", "--max-input-tokens", "500"),
        *("--query-prefix", "query: ", "--passage-prefix", "passage: ", "--batch-size", "8"),
        *("--credits-per-1k-tokens", "2", "--default"),
    )
    model = EmbeddingModel.objects.get(name="E5")
    assert found == {
        "model": "E5",
        "id": model.id,
        "provider": "openai-wire",
        "api_base": "http://host/v1",
        "api_key_env": "MY_KEY",
        "dimensions": 384,
        "is_default": True,
    }
    assert (model.query_prefix, model.passage_prefix) == ("query: ", "passage: ")
    assert (model.max_input_tokens, model.batch_size, model.credits_per_1k_tokens) == (500, 8, 2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("x", "--litellm-model", "sandbox/nothing"), "there is no sandbox model"),
        (("x", "--litellm-model", "sandbox/echo"), "there is no sandbox model"),
        (("sandbox/embed", "--litellm-model", "sandbox/embed"), "with this name exists"),
        (("x", "--litellm-model", "sandbox/embed", "--dimensions", "4001"), "less than or equal"),
        (("x", "--litellm-model", "openai/x", "--api-base", "http://h"), "number of dimensions"),
        (("x", "--litellm-model", "openai/x", "--api-base", "host"), "must begin with http"),
    ],
)
def test_command_refuses_in_one_line(db: None, line: tuple[str, ...], message: str) -> None:
    before = EmbeddingModel.objects.count()
    with pytest.raises(CommandError, match=re.escape(message)) as raised:
        run_command(*line)
    assert "\n" not in str(raised.value)
    assert EmbeddingModel.objects.count() == before


def test_admin_deletes_no_default(db: None) -> None:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    default, other = EmbeddingModel.objects.get(is_default=True), make_embedding_model()
    for model, status in ((default, 200), (other, 302)):
        address = reverse("admin:chatbots_embeddingmodel_delete", args=[model.id])
        assert client.post(address, {"post": "yes"}).status_code == status
    everything = {
        "action": "delete_selected",
        "post": "yes",
        "_selected_action": list(EmbeddingModel.objects.values_list("id", flat=True)),
    }
    client.post(reverse("admin:chatbots_embeddingmodel_changelist"), everything)
    assert EmbeddingModel.objects.filter(id=default.id).count() == 1
    assert EmbeddingModel.objects.filter(id=other.id).count() == 0
