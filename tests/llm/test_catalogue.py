"""Resolving model ids: the plain ones here, the rest by litellm in a process of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.llm.catalogue import ResolvedModel, resolve_model
from apps.llm.errors import UnknownModel
from apps.llm.providers.sandbox import SANDBOX_MODELS

BASE = "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize("name", SANDBOX_MODELS)
def test_sandbox_models_resolve_themselves(name: str) -> None:
    assert resolve_model(name) == ResolvedModel("sandbox", name)


def test_unknown_sandbox_model_lists_those_there_are() -> None:
    with pytest.raises(UnknownModel, match=r"sandbox/ecco.*sandbox/echo, sandbox/slow"):
        resolve_model("sandbox/ecco")


@pytest.mark.parametrize("prefix", ["openai", "hosted_vllm", "llamafile", "lm_studio"])
def test_own_servers_resolve_themselves(prefix: str) -> None:
    assert resolve_model(f"{prefix}/org/tiny", api_base=f"{BASE}/", api_key_env="MY_KEY") == (
        ResolvedModel("openai-wire", "org/tiny", BASE, "MY_KEY")
    )


def test_key_is_not_sent_to_an_own_server_unasked() -> None:
    assert resolve_model("openai/tiny", api_base=BASE).api_key_env == ""


def test_own_server_needs_its_address() -> None:
    with pytest.raises(UnknownModel, match="api base"):
        resolve_model("hosted_vllm/tiny")


def test_api_base_must_be_an_address() -> None:
    with pytest.raises(UnknownModel, match="http"):
        resolve_model("openai/tiny", api_base="127.0.0.1:8080")


def test_other_models_are_looked_up_by_litellm_in_its_own_process() -> None:
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
