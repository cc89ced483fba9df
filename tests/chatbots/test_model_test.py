"""Staff test a language model with one question."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.chatbots.model_test import QUESTION, run_model_test
from apps.chatbots.models import LanguageModel
from tests.factories import make_language_model, make_user


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


def test_model_is_called_only_on_post(db: None) -> None:
    user = make_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    model = LanguageModel.objects.get(name="sandbox/echo")
    address = reverse("admin:chatbots_languagemodel_test", args=[model.id])
    assert client.get(address).context["result"] is None
    assert client.post(address).context["result"].answer == f"Echo: {QUESTION}"
