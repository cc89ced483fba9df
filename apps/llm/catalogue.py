"""Resolve a litellm model id to the provider that serves it.

litellm knows names, addresses and key variables of a hundred providers, but takes seconds and
180 MB to import. Ids of a known form are resolved here; for the rest litellm is called once, in a
process of its own, when the catalogue entry is created.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.llm.embeddings.sandbox import SANDBOX_DIMENSIONS, SANDBOX_EMBEDDING_MODELS
from apps.llm.errors import UnknownModel
from apps.llm.provider_keys import require_key_allowed
from apps.llm.providers.sandbox import SANDBOX_MODELS
from apps.llm.types import ProviderKind

Purpose = Literal["chat", "embeddings"]

LOOKUP_SECONDS = 60.0

SELF_HOSTED_PREFIXES = (
    "custom_openai",
    "docker_model_runner",
    "hosted_vllm",
    "litellm_proxy",
    "llamafile",
    "lm_studio",
    "openai",
    "openai_like",
    "xinference",
)
"""litellm's prefixes for an OpenAI-compatible server at a given address."""

_ROOT = Path(__file__).resolve().parents[2]
_PASSED_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """How to call a model (fields of a `ModelRequest`), and its limits.

    `context_tokens` (prompt and answer, or one text to embed), `max_output_tokens` and
    `dimensions` (of an embedding model's vectors) are None when unknown.
    """

    provider: ProviderKind
    model: str
    api_base: str = ""
    api_key_env: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    supports_streaming: bool = True
    dimensions: int | None = None


def resolve_model(
    litellm_id: str, *, api_base: str = "", api_key_env: str = "", purpose: Purpose = "chat"
) -> ResolvedModel:
    """Resolve how to call a model, for chat or for embeddings.

    Instant for sandbox models and self-hosted servers; the rest takes about 10 s. `api_key_env`
    defaults to the provider's usual variable, but only with the provider's usual address: a key is
    never sent to another one by default, nor to one that the setting MODEL_API_KEYS does not name.

    Raises: UnknownModel or KeyNotAllowed, with a message for whoever typed the id.
    """
    resolved = _resolve(litellm_id.strip(), api_base.strip().rstrip("/"), api_key_env, purpose)
    require_key_allowed(
        variable=resolved.api_key_env, api_base=resolved.api_base, litellm_id=litellm_id.strip()
    )
    return resolved


def _resolve(litellm_id: str, api_base: str, api_key_env: str, purpose: Purpose) -> ResolvedModel:
    if api_base and not api_base.startswith(("http://", "https://")):
        raise UnknownModel(f"the api base must begin with http:// or https://, not {api_base!r}")
    prefix, _, name = litellm_id.partition("/")
    if prefix == "sandbox":
        return _resolve_sandbox(litellm_id, purpose)
    if prefix in SELF_HOSTED_PREFIXES and name and api_base:
        return ResolvedModel("openai-wire", name, api_base, api_key_env)
    if prefix in SELF_HOSTED_PREFIXES and name and prefix != "openai":
        raise UnknownModel(f"{litellm_id} is a server of your own: give its address as api base")
    return _resolve_with_litellm(litellm_id, api_base, api_key_env, purpose)


def _resolve_sandbox(litellm_id: str, purpose: Purpose) -> ResolvedModel:
    models = SANDBOX_MODELS if purpose == "chat" else SANDBOX_EMBEDDING_MODELS
    if litellm_id not in models:
        names = ", ".join(models)
        raise UnknownModel(
            f"there is no sandbox model {litellm_id!r} for {purpose}; there are {names}"
        )
    if purpose == "chat":
        return ResolvedModel("sandbox", litellm_id)
    return ResolvedModel("sandbox", litellm_id, dimensions=SANDBOX_DIMENSIONS)


def _resolve_with_litellm(
    litellm_id: str, api_base: str, api_key_env: str, purpose: Purpose
) -> ResolvedModel:
    question = {
        "id": litellm_id,
        "api_base": api_base,
        "api_key_env": api_key_env,
        "purpose": purpose,
    }
    try:
        process = subprocess.run(
            [sys.executable, "-m", "apps.llm.catalogue_lookup"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            cwd=_ROOT,
            # No keys: the lookup needs none, and litellm names a variable only while it is empty.
            env={name: os.environ[name] for name in _PASSED_VARIABLES if name in os.environ},
            timeout=LOOKUP_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise UnknownModel(
            f"{litellm_id} could not be looked up within {LOOKUP_SECONDS:g} s; try again"
        ) from None
    except subprocess.CalledProcessError as error:
        raise UnknownModel(f"looking up {litellm_id} failed: {error.stderr[-500:]}") from None
    answer = json.loads(process.stdout)
    if "unknown" in answer:
        raise UnknownModel(answer["unknown"])
    return ResolvedModel(**answer)
