from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import EmbeddingModel, LanguageModel
from apps.chatbots.queries import get_active_chatbot, get_language_model_by_name, providers_in_use
from apps.core.ids import new_id
from tests.factories import Team, make_chatbot, make_language_model
from tests.factories.embedding_models import make_embedding_model


@pytest.mark.parametrize("others", [0, 2])
def test_get_active_chatbot_runs_one_query(
    team: Team, others: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    chatbot = make_chatbot(team.workspace, make_language_model())
    for _ in range(others):
        make_chatbot(team.workspace)
    with django_assert_num_queries(1):
        result = get_active_chatbot(team.workspace.id, chatbot.id)
        assert (result, result.language_model) == (chatbot, chatbot.language_model)


def test_absent_foreign_and_inactive_chatbots_raise_one_error(
    team: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    foreign = make_chatbot(team.other_workspace)
    inactive = make_chatbot(team.workspace, is_active=False)
    answers = []
    for chatbot_id in (new_id(), foreign.id, inactive.id, "", "x" * 1000):
        with django_assert_num_queries(1), pytest.raises(ChatbotNotFound) as caught:
            get_active_chatbot(team.workspace.id, chatbot_id)
        answers.append((caught.value.status, caught.value.body(), caught.value.headers()))
    assert (
        answers
        == [
            (
                404,
                {
                    "success": False,
                    "error": "Chatbot not found or access denied",
                    "code": "CHATBOT_NOT_FOUND",
                },
                {},
            )
        ]
        * 5
    )


def test_get_language_model_by_name_returns_the_model(db: None) -> None:
    model = make_language_model()
    assert get_language_model_by_name(model.name) == model


def test_get_language_model_by_name_rejects_inactive_models(db: None) -> None:
    model = make_language_model(is_active=False)
    with pytest.raises(ValueError, match="There is no active language model"):
        get_language_model_by_name(model.name)


def test_providers_in_use_counts_active_models_only(db: None) -> None:
    LanguageModel.objects.update(is_active=False)
    EmbeddingModel.objects.update(is_default=False, is_active=False)
    assert providers_in_use() == set()
    make_language_model("sandbox/echo")
    make_language_model("openai/x", api_base="http://host/v1", is_active=False)
    assert providers_in_use() == {"sandbox"}
    make_language_model("openai/x", api_base="http://host/v1")
    assert providers_in_use() == {"sandbox", "openai-wire"}
    make_embedding_model("cohere/embed-english-v3.0", dimensions=1024)
    assert providers_in_use() == {"sandbox", "openai-wire", "litellm"}
