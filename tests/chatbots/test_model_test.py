"""Staff ask a language model one question: its answer and times, or why there is none."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.chatbots.model_test import QUESTION, run_model_test
from apps.chatbots.models import LanguageModel
from tests.factories import make_model, make_user


def test_model_that_answers_shows_answer_times_and_usage(db: None) -> None:
    trial = run_model_test(make_model("sandbox/echo"))
    assert (trial.answer, trial.error) == (f"Echo: {QUESTION}", "")
    assert trial.first_token_ms is not None
    assert 0 <= trial.first_token_ms <= trial.total_ms
    assert trial.usage is not None
    assert trial.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("model", "failure"),
    [("sandbox/fail-before", "ProviderFailed"), ("sandbox/rate-limited", "ProviderUnavailable")],
)
def test_model_that_fails_says_why(db: None, model: str, failure: str) -> None:
    trial = run_model_test(make_model(model))
    assert (trial.answer, trial.error.split(":")[0]) == ("", failure)


def test_looking_at_the_page_asks_nothing(db: None) -> None:
    user = make_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    model = LanguageModel.objects.get(name="sandbox/echo")
    address = reverse("admin:chatbots_languagemodel_test", args=[model.id])
    assert client.get(address).context["trial"] is None
    assert client.post(address).context["trial"].answer == f"Echo: {QUESTION}"
