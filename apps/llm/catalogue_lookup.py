"""Look up one model in litellm. A program that `apps.llm.catalogue` runs as a process.

    echo '{"id": "groq/llama-3.1-8b-instant"}' | python -m apps.llm.catalogue_lookup

prints the fields of a `ResolvedModel`, or {"unknown": message}.
"""

import importlib
import json
import os
import sys
from contextlib import redirect_stdout
from typing import Any

OPENAI_COMPATIBLE_BASES = {
    "cerebras": "",
    "deepinfra": "",
    "deepseek": "",
    "fireworks_ai": "",
    "groq": "",
    "mistral": "",
    "moonshot": "",
    "nebius": "",
    "novita": "",
    "nvidia_nim": "",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "perplexity": "",
    "sambanova": "",
    "together_ai": "",
    "xai": "",
}
"""Providers whose API is exactly OpenAI's, and their address where litellm leaves it to OpenAI's
client. The other providers that litellm calls compatible need requests rewritten or another way to
authenticate, and are called through litellm."""

MODES = {"chat": ("chat", "completion", "responses"), "embeddings": ("embedding",)}
"""litellm's modes of the models that serve a purpose; the first is assumed where none is known,
and OpenAI's API has it."""


def lookup_model(litellm: Any, question: dict[str, str]) -> dict[str, Any]:
    """Return what litellm knows about `question["id"]`, as the fields of a `ResolvedModel`."""
    litellm_id = question["id"]
    given_base, given_variable = question.get("api_base", ""), question.get("api_key_env", "")
    try:
        name, provider, _key, default_base = litellm.get_llm_provider(litellm_id)
    except litellm.exceptions.BadRequestError:
        return {"unknown": _unknown(litellm_id)}
    info = _info(litellm, litellm_id)
    purpose = question.get("purpose", "chat")
    mode = info.get("mode") or MODES[purpose][0]
    if mode not in MODES[purpose]:
        return {"unknown": f"{litellm_id} is a model for {mode}, not for {purpose}"}
    streams = info.get("supports_native_streaming") is not False
    variable = _variable(litellm, litellm_id)
    base = default_base or OPENAI_COMPATIBLE_BASES.get(provider)
    is_compatible = (
        provider in OPENAI_COMPATIBLE_BASES
        and mode == MODES[purpose][0]
        and streams
        and _has_full_name(provider, name)
    )
    if is_compatible and not variable:
        variable = f"{provider.upper()}_API_KEY"  # litellm reads it, but does not list it
    return {
        "provider": "openai-wire" if is_compatible else "litellm",
        "model": name if is_compatible else litellm_id,
        "api_base": given_base or (base if is_compatible else ""),
        "api_key_env": given_variable or ("" if given_base else variable),
        "context_tokens": info.get("max_input_tokens"),
        "max_output_tokens": info.get("max_output_tokens"),
        "supports_streaming": streams,
        "dimensions": info.get("output_vector_size"),
    }


def _has_full_name(provider: str, name: str) -> bool:
    # litellm completes the short names of Fireworks before it sends them.
    return provider != "fireworks_ai" or name.startswith("accounts/")


def _info(litellm: Any, litellm_id: str) -> dict[str, Any]:
    try:
        return dict(litellm.get_model_info(litellm_id))
    except litellm.exceptions.ModelNotMappedError:
        return {}  # a known provider, and a model that is newer than this litellm


def _variable(litellm: Any, litellm_id: str) -> str:
    """The variable with the provider's API key; "" when it authenticates in another way."""
    missing = litellm.validate_environment(litellm_id)["missing_keys"]
    keys = [variable for variable in missing if variable.endswith("_API_KEY")]
    return keys[-1] if keys else ""


def _unknown(litellm_id: str) -> str:
    return (
        f"litellm knows no model {litellm_id!r}. Ids begin with a provider, as in "
        "anthropic/claude-sonnet-4-5; for a server of your own, write openai/ and the model's "
        "name there, and give the server's address as api base"
    )


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    with redirect_stdout(sys.stderr):  # litellm prints hints
        litellm: Any = importlib.import_module("litellm")
        litellm.suppress_debug_info = True
        answer = lookup_model(litellm, json.load(sys.stdin))
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
