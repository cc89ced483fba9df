"""Resolve model ids: known forms directly, the rest by litellm in a process of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.llm.catalogue import ResolvedModel, resolve_model
from apps.llm.embeddings.sandbox import SANDBOX_DIMENSIONS, SANDBOX_EMBEDDING_MODELS
from apps.llm.errors import UnknownModel
from apps.llm.providers.sandbox import SANDBOX_MODELS

BASE = "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize("name", SANDBOX_MODELS)
def test_sandbox_models_are_resolved(name: str) -> None:
    assert resolve_model(name) == ResolvedModel("sandbox", name)


def test_unknown_sandbox_model_error_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"sandbox/ecco.*sandbox/echo, sandbox/slow"):
        resolve_model("sandbox/ecco")


@pytest.mark.parametrize("prefix", ["openai", "hosted_vllm", "llamafile", "lm_studio"])
def test_self_hosted_servers_are_resolved(prefix: str, settings: object) -> None:
    settings.MODEL_API_KEYS = {"MY_KEY": (BASE,)}  # type: ignore[attr-defined]
    assert resolve_model(f"{prefix}/org/tiny", api_base=f"{BASE}/", api_key_env="MY_KEY") == (
        ResolvedModel("openai-wire", "org/tiny", BASE, "MY_KEY")
    )


def test_self_hosted_server_gets_no_key_by_default() -> None:
    assert resolve_model("openai/tiny", api_base=BASE).api_key_env == ""


def test_self_hosted_server_requires_an_api_base() -> None:
    with pytest.raises(UnknownModel, match="api base"):
        resolve_model("hosted_vllm/tiny")


def test_api_base_must_be_a_url() -> None:
    with pytest.raises(UnknownModel, match="http"):
        resolve_model("openai/tiny", api_base="127.0.0.1:8080")


def test_other_models_are_resolved_by_litellm() -> None:
    with ThreadPoolExecutor() as pool:  # each takes seconds, most of them to import litellm
        known, unknown = (pool.submit(resolve_model, name) for name in ("gpt-4o-mini", "nonsense"))

    assert known.result() == ResolvedModel(
        "openai-wire",
        "gpt-4o-mini",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        context_tokens=128_000,
        max_output_tokens=16_384,
    )
    with pytest.raises(UnknownModel, match=r"no model 'nonsense'.*openai/"):
        unknown.result()


@pytest.mark.parametrize("name", SANDBOX_EMBEDDING_MODELS)
def test_sandbox_embedding_models_are_resolved(name: str) -> None:
    resolved = ResolvedModel("sandbox", name, dimensions=SANDBOX_DIMENSIONS)
    assert resolve_model(name, purpose="embeddings") == resolved
    with pytest.raises(UnknownModel, match="no sandbox model"):
        resolve_model(name)


def test_embedding_models_are_resolved_by_litellm() -> None:
    with ThreadPoolExecutor() as pool:
        known, native, chat = (
            pool.submit(resolve_model, name, purpose="embeddings")
            for name in ("text-embedding-3-small", "cohere/embed-english-v3.0", "gpt-4o-mini")
        )

    assert known.result() == ResolvedModel(
        "openai-wire",
        "text-embedding-3-small",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        context_tokens=8191,
        dimensions=1536,
    )
    assert native.result().provider == "litellm"
    with pytest.raises(UnknownModel, match="gpt-4o-mini is a model for chat, not for embeddings"):
        chat.result()
    with pytest.raises(UnknownModel, match="is a model for embedding, not for chat"):
        resolve_model("text-embedding-3-small")
