from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.services import create_chatbot, create_language_model, save_language_model
from apps.core.ids import new_id
from apps.credits.prices import Price
from tests.factories import Team, make_chatbot, make_language_model


def make_own_server_model(**fields: Any) -> LanguageModel:
    settings = {"litellm_model": "openai/my-model", "api_base": "http://10.0.0.5:8000/v1"}
    return create_language_model(name=f"own-{new_id()}", **settings | fields)


def test_sandbox_model_needs_no_base_url_and_no_key(db: None) -> None:
    model = make_language_model("sandbox/slow", credits_per_reply=2)
    model.refresh_from_db()
    assert (model.provider, model.provider_model) == ("sandbox", "sandbox/slow")
    assert (model.api_base, model.api_key_env) == ("", "")
    assert model.price == Price(2, 0, 0)


def test_own_server_uses_the_openai_compatible_provider(db: None, settings: Any) -> None:
    settings.MODEL_API_KEYS = {"MY_KEY": ("http://10.0.0.5:8000",)}
    model = make_own_server_model(api_base=" http://10.0.0.5:8000/v1/ ", api_key_env="MY_KEY")
    model.refresh_from_db()
    assert (model.provider, model.provider_model) == ("openai-wire", "my-model")
    assert (model.api_base, model.api_key_env) == ("http://10.0.0.5:8000/v1", "MY_KEY")


def test_base_url_accepts_a_host_without_a_dot(db: None) -> None:
    assert make_own_server_model(api_base="http://llama/v1").api_base == "http://llama/v1"


@pytest.mark.parametrize("litellm_model", ["sandbox/nothing", "sandbox/", "hosted_vllm/my-model"])
def test_model_without_a_provider_is_rejected(db: None, litellm_model: str) -> None:
    name = f"model-{new_id()}"
    with pytest.raises(ValueError, match=litellm_model):
        create_language_model(name=name, litellm_model=litellm_model)
    assert LanguageModel.objects.filter(name=name).count() == 0


@pytest.mark.parametrize("api_base", ["ftp://host/v1", "localhost:8000"])
def test_base_url_of_another_scheme_is_rejected(db: None, api_base: str) -> None:
    with pytest.raises(ValueError, match="http"):
        make_own_server_model(api_base=api_base)


@pytest.mark.parametrize("api_base", ["http://", "http:// host", "https:///v1"])
def test_base_url_without_a_host_is_rejected(db: None, api_base: str) -> None:
    with pytest.raises((ValidationError, ValueError)):
        make_own_server_model(api_base=api_base)


@pytest.mark.parametrize(
    "variable", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "lower", "1KEY", "A-B", "A B", "sk-123"]
)
def test_invalid_or_reserved_key_variable_is_rejected(db: None, variable: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make_own_server_model(api_key_env=variable)
    assert list(caught.value.message_dict) == ["api_key_env"]


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "K", "SECRET_KEY_2", "MY_DATABASE_URL"])
def test_listed_key_variable_is_accepted(db: None, settings: Any, variable: str) -> None:
    settings.MODEL_API_KEYS = {variable: ("http://10.0.0.5:8000",)}
    assert make_own_server_model(api_key_env=variable).api_key_env == variable


@pytest.mark.parametrize(
    "field", ["credits_per_reply", "credits_per_1k_input", "credits_per_1k_output"]
)
@pytest.mark.parametrize("credits", [-1, 2**31])
def test_price_out_of_range_is_rejected(db: None, field: str, credits: int) -> None:
    fields: dict[str, Any] = {field: credits}
    with pytest.raises(ValidationError) as caught:
        make_language_model(**fields)
    assert list(caught.value.message_dict) == [field]


def test_model_name_is_unique(db: None) -> None:
    name = make_language_model().name
    with pytest.raises(ValidationError, match="A language model with this name exists"):
        create_language_model(name=name, litellm_model="sandbox/echo")


def test_saving_a_model_resolves_its_provider_again(db: None) -> None:
    model = make_language_model("sandbox/echo")
    model.litellm_model, model.api_base = "openai/other", "http://host/v1"
    save_language_model(model=model)
    model.refresh_from_db()
    assert (model.provider, model.provider_model) == ("openai-wire", "other")


def test_created_chatbot_has_the_defaults(team: Team) -> None:
    chatbot = create_chatbot(
        workspace=team.workspace, name="Bot", language_model=make_language_model()
    )
    assert (chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds) == (60, 60)
    assert (chatbot.temperature, chatbot.max_reply_tokens, chatbot.history_limit) == (0.7, 512, 20)
    assert (chatbot.stream_by_default, chatbot.is_active) == (False, True)
    assert chatbot.system_prompt.startswith("You are a helpful assistant.")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "n" * 121),
        ("system_prompt", "p" * 32_001),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("max_reply_tokens", 0),
        ("max_reply_tokens", 100_001),
        ("history_limit", -1),
        ("history_limit", 201),
        ("rate_limit_requests", 0),
        ("rate_limit_requests", 10_001),
        ("rate_limit_window_seconds", 0),
        ("rate_limit_window_seconds", 86_401),
    ],
)
def test_chatbot_rejects_values_out_of_range(team: Team, field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        make_chatbot(team.workspace, **{field: value})
    assert list(caught.value.message_dict) == [field]
    assert Chatbot.objects.filter(workspace=team.workspace).count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("system_prompt", ""),
        ("system_prompt", "p" * 32_000),
        ("temperature", 0),
        ("temperature", 2),
        ("max_reply_tokens", 100_000),
        ("history_limit", 0),
        ("rate_limit_requests", 10_000),
        ("rate_limit_window_seconds", 86_400),
    ],
)
def test_chatbot_accepts_the_ends_of_each_range(team: Team, field: str, value: Any) -> None:
    chatbot = make_chatbot(team.workspace, **{field: value})
    chatbot.refresh_from_db()
    assert getattr(chatbot, field) == value


def test_chatbot_temperature_rejects_nan(team: Team) -> None:
    with pytest.raises(ValidationError):
        make_chatbot(team.workspace, temperature=float("nan"))
    assert Chatbot.objects.filter(workspace=team.workspace).count() == 0
