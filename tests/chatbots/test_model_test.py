"""Staff test a model with one question or sentence."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.chatbots.model_test import QUESTION, run_embedding_test, run_model_test
from apps.chatbots.models import EmbeddingModel, LanguageModel
from tests.factories import make_language_model, make_user
from tests.factories.embedding_models import make_embedding_model


def test_successful_test_returns_answer_times_and_usage(db: None) -> None:
    result = run_model_test(make_language_model("sandbox/echo"))
    assert (result.answer, result.error) == (f"Echo: {QUESTION}", "")
    assert result.first_token_ms is not None
    assert 0 <= result.first_token_ms <= result.total_ms
    assert result.usage is not None
    assert result.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("model", "error"),
    [("sandbox/fail-before", "ProviderFailed"), ("sandbox/rate-limited", "ProviderUnavailable")],
)
def test_failed_test_returns_the_error(db: None, model: str, error: str) -> None:
    result = run_model_test(make_language_model(model))
    assert (result.answer, result.error.split(":")[0]) == ("", error)


def test_embedding_model_test_returns_dimensions_and_tokens(db: None) -> None:
    result = run_embedding_test(make_embedding_model())
    assert (result.error, result.dimensions, result.input_tokens) == ("", 256, 5)
    result = run_embedding_test(make_embedding_model("sandbox/embed-fail"))
    assert (result.error.split(":")[0], result.dimensions) == ("ProviderFailed", 0)


def sign_in_operator() -> Client:
    user = make_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    return client


def test_embedding_model_is_called_only_on_post(db: None) -> None:
    client, model = sign_in_operator(), EmbeddingModel.objects.get(name="sandbox/embed")
    address = reverse("admin:chatbots_embeddingmodel_test", args=[model.id])
    assert client.get(address).context["result"] is None
    page = client.post(address)
    assert page.context["result"].dimensions == 256
    assert "256" in page.content.decode()


def test_operator_adds_and_changes_an_embedding_model(db: None) -> None:
    client = sign_in_operator()
    form = {
        "name": "E5",
        "litellm_model": "openai/e5",
        "api_base": "http://host:8000/v1",
        "dimensions": 384,
        "max_input_tokens": 512,
        "query_prefix": "query: ",
        "passage_prefix": "passage: ",
        "batch_size": 32,
        "credits_per_1k_tokens": 1,
        "is_default": "on",
        "is_active": "on",
    }
    address = reverse("admin:chatbots_embeddingmodel_add")
    for field, value in {"dimensions": "", "litellm_model": "sandbox/nothing"}.items():
        page = client.post(address, form | {field: value})
        assert list(page.context["adminform"].form.errors) == [field]
    assert client.post(address, form).status_code == 302
    model = EmbeddingModel.objects.get(is_default=True)
    assert (model.name, model.query_prefix, model.passage_prefix) == ("E5", "query: ", "passage: ")
    address = reverse("admin:chatbots_embeddingmodel_change", args=[model.id])
    page = client.post(address, {**form, "is_default": ""})
    assert list(page.context["adminform"].form.errors) == ["is_default"]
    assert client.post(address, form | {"dimensions": 512, "batch_size": 8}).status_code == 302
    model.refresh_from_db()
    assert (model.dimensions, model.batch_size, model.is_default) == (384, 8, True)


def test_model_is_called_only_on_post(db: None) -> None:
    client = sign_in_operator()
    model = LanguageModel.objects.get(name="sandbox/echo")
    address = reverse("admin:chatbots_languagemodel_test", args=[model.id])
    assert client.get(address).context["result"] is None
    assert client.post(address).context["result"].answer == f"Echo: {QUESTION}"
