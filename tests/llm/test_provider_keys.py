"""An environment variable is sent only to the servers that MODEL_API_KEYS binds it to."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.llm.catalogue import resolve_model
from apps.llm.catalogue_lookup import OPENAI_COMPATIBLE_BASES, lookup_model
from apps.llm.errors import KeyNotAllowed, ProviderUnavailable
from apps.llm.provider_keys import api_key_from_env, origin, require_key_allowed
from apps.llm.providers import litellm as litellm_provider
from config.settings.model_keys import PROVIDERS_OWN, parse_model_keys
from tests.llm.completion_helpers import complete, openai_request
from tests.llm.fake_provider import FakeProvider

KEYS = parse_model_keys("MINE=http://10.0.0.5:8000,llm.example CLARIFAI_API_KEY=")
EVIL = "https://evil.example/v1"


@pytest.fixture(autouse=True)
def keys(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MODEL_API_KEYS = KEYS  # type: ignore[attr-defined]
    monkeypatch.setenv("MINE", "a-key")


def is_allowed(variable: str, api_base: str, litellm_id: str = "") -> bool:
    try:
        require_key_allowed(variable=variable, api_base=api_base, litellm_id=litellm_id)
    except KeyNotAllowed:
        return False
    return True


@pytest.mark.parametrize("variable", ["HOME", "SECRET_KEY", "AWS_SECRET_KEY", "EVIL_API_KEY"])
@pytest.mark.parametrize("api_base", [EVIL, "https://api.openai.com/v1", ""])
def test_unlisted_variable_goes_nowhere(variable: str, api_base: str) -> None:
    assert is_allowed(variable, api_base) is False


@pytest.mark.parametrize(
    ("api_base", "allowed"),
    [
        ("http://10.0.0.5:8000/v1", True),
        ("HTTP://10.0.0.5:8000", True),
        ("https://LLM.example/v1/", True),
        ("https://llm.example:443/v1", True),
        ("http://llm.example/v1", False),
        ("https://llm.example:8443/v1", False),
        ("https://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5/v1", False),
        ("https://llm.example.evil.example/v1", False),
        ("https://evil.example/llm.example", False),
        ("https://llm.example@evil.example/v1", False),
        ("https://evil.example\\@llm.example/v1", False),
        ("https://evil.example#@llm.example/v1", False),
        ("https://evil.example?llm.example", False),
        ("https://llm.example\n.evil.example/v1", False),
        ("https://ſlm.example/v1", False),
        ("ftp://llm.example/v1", False),
        ("", True),
    ],
)
def test_key_goes_to_its_own_servers_alone(api_base: str, allowed: bool) -> None:
    assert is_allowed("MINE", api_base) is allowed


def test_variable_without_servers_goes_to_its_provider_alone() -> None:
    assert (is_allowed("CLARIFAI_API_KEY", ""), is_allowed("CLARIFAI_API_KEY", EVIL)) == (
        True,
        False,
    )


def test_address_without_key_is_free() -> None:
    assert is_allowed("", "http://10.9.9.9:1234/v1", "ollama/llama3")


@pytest.mark.parametrize("litellm_id", ["bedrock/x", "vertex_ai/x", "sagemaker/x"])
def test_credentials_of_the_machine_stay_with_their_provider(litellm_id: str) -> None:
    assert is_allowed("", EVIL, litellm_id) is False
    assert is_allowed("", "https://x.amazonaws.com.evil.example", litellm_id) is False
    assert is_allowed("", "", litellm_id) is True


def test_refusal_says_what_to_set() -> None:
    with pytest.raises(KeyNotAllowed, match=r"HOME is no key for models.*MODEL_API_KEYS"):
        resolve_model("openai/x", api_base=EVIL, api_key_env="HOME")
    with pytest.raises(KeyNotAllowed, match=r"MINE may not be sent to https://evil\.example:443"):
        resolve_model("openai/x", api_base=EVIL, api_key_env="MINE")


@pytest.mark.parametrize("text", ["MINE", "mine=x", "=x", "A-B=https://x", "SECRET_KEY=x"])
def test_malformed_setting_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="MODEL_API_KEYS"):
        parse_model_keys(text)


def test_every_default_server_is_an_origin() -> None:
    assert [
        each for servers in PROVIDERS_OWN.values() for each in servers if not origin(each)
    ] == []


@pytest.mark.parametrize("provider", ["openai-wire", "litellm"])
async def test_key_is_not_sent_at_the_call(server: FakeProvider, provider: str) -> None:
    """Also for a model that was saved while the setting was another."""
    request = openai_request(server, provider=provider, model="openai/x", api_key_env="MINE")
    failure = (await complete(request)).failure
    assert isinstance(failure, ProviderUnavailable)
    assert "MODEL_API_KEYS" in failure.detail
    assert server.requests == []


async def test_litellm_reads_no_key_for_another_address(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "real-key")
    monkeypatch.setenv("OPENAI_API_KEY", "real-key")
    for model in ("openai/x", "groq/x", "custom_openai/x"):
        await complete(openai_request(server, provider="litellm", model=model))
    sent = [request.headers.get("Authorization", "") for request in server.requests]
    assert (len(sent), [each for each in sent if "real-key" in each]) == (3, [])


async def test_known_providers_work_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    litellm = await litellm_provider.load()
    refused = []
    for provider in OPENAI_COMPATIBLE_BASES:
        name = "accounts/fireworks/models/x" if provider == "fireworks_ai" else "x"
        found = lookup_model(litellm, {"id": f"{provider}/{name}"})
        if not is_allowed(found["api_key_env"], found["api_base"]):
            refused.append((found["api_key_env"], found["api_base"]))
    assert refused == []


def test_variable_is_read_when_allowed() -> None:
    assert api_key_from_env("MINE", api_base="https://llm.example/v1") == "a-key"
    assert api_key_from_env("", api_base=EVIL) == ""
