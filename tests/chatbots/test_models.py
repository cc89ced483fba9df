"""Rows that the migrations create, and constraints of the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.chatbots.models import Chatbot, LanguageModel, validate_key_variable
from apps.llm.providers.sandbox import SANDBOX_MODELS
from tests.factories import Team, make_chatbot


def test_migrations_create_the_sandbox_models(db: None) -> None:
    rows = LanguageModel.objects.filter(name__startswith="sandbox/")
    assert dict(rows.values_list("name", "description")) == dict(SANDBOX_MODELS)


def test_sandbox_models_are_free_active_and_resolved(db: None) -> None:
    rows = LanguageModel.objects.filter(name__startswith="sandbox/")
    for model in rows:
        assert (model.litellm_model, model.provider, model.provider_model) == (
            model.name,
            "sandbox",
            model.name,
        )
        assert (model.price.per_reply, model.price.per_1k_input, model.price.per_1k_output) == (
            0,
            0,
            0,
        )
        assert model.is_active is True
    assert rows.count() == len(SANDBOX_MODELS)


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "", "openai", "É"])
def test_key_variable_rejects_invalid_and_reserved_names(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_key_variable(name)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("chatbots_rate_limit_in_range", {"rate_limit_requests": 0}),
        ("chatbots_rate_limit_in_range", {"rate_limit_requests": 10_001}),
        ("chatbots_rate_limit_in_range", {"rate_limit_window_seconds": 0}),
        ("chatbots_rate_limit_in_range", {"rate_limit_window_seconds": 86_401}),
        ("chatbots_max_reply_tokens_in_range", {"max_reply_tokens": 0}),
        ("chatbots_max_reply_tokens_in_range", {"max_reply_tokens": 100_001}),
        ("chatbots_temperature_in_range", {"temperature": -0.5}),
        ("chatbots_temperature_in_range", {"temperature": 2.5}),
    ],
)
def test_database_rejects_settings_out_of_range(
    team: Team, constraint: str, fields: dict[str, Any]
) -> None:
    chatbot = make_chatbot(team.workspace)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Chatbot.objects.filter(pk=chatbot.pk).update(**fields)


def test_model_in_use_cannot_be_deleted(team: Team) -> None:
    model = make_chatbot(team.workspace).language_model
    with pytest.raises(ProtectedError):
        model.delete()
    assert LanguageModel.objects.filter(pk=model.pk).count() == 1
