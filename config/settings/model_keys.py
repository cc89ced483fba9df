"""Which environment variables are API keys of model providers, and where each may be sent."""

import re
from collections.abc import Mapping

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

PROVIDERS_OWN: Mapping[str, tuple[str, ...]] = {
    "AI21_API_KEY": ("https://api.ai21.com",),
    "ANTHROPIC_API_KEY": ("https://api.anthropic.com",),
    "CEREBRAS_API_KEY": ("https://api.cerebras.ai",),
    "COHERE_API_KEY": ("https://api.cohere.com", "https://api.cohere.ai"),
    "DEEPINFRA_API_KEY": ("https://api.deepinfra.com",),
    "DEEPSEEK_API_KEY": ("https://api.deepseek.com",),
    "FIREWORKS_AI_API_KEY": ("https://api.fireworks.ai",),
    "FIREWORKS_API_KEY": ("https://api.fireworks.ai",),
    "GEMINI_API_KEY": ("https://generativelanguage.googleapis.com",),
    "GOOGLE_API_KEY": ("https://generativelanguage.googleapis.com",),
    "GROQ_API_KEY": ("https://api.groq.com",),
    "HUGGINGFACE_API_KEY": ("https://router.huggingface.co",),
    "MISTRAL_API_KEY": ("https://api.mistral.ai",),
    "MOONSHOT_API_KEY": ("https://api.moonshot.ai",),
    "NEBIUS_API_KEY": ("https://api.studio.nebius.ai", "https://api.tokenfactory.nebius.com"),
    "NOVITA_API_KEY": ("https://api.novita.ai",),
    "NVIDIA_NIM_API_KEY": ("https://integrate.api.nvidia.com",),
    "OPENAI_API_KEY": ("https://api.openai.com",),
    "OPENROUTER_API_KEY": ("https://openrouter.ai",),
    "PERPLEXITYAI_API_KEY": ("https://api.perplexity.ai",),
    "PERPLEXITY_API_KEY": ("https://api.perplexity.ai",),
    "REPLICATE_API_KEY": ("https://api.replicate.com",),
    "SAMBANOVA_API_KEY": ("https://api.sambanova.ai",),
    "TOGETHERAI_API_KEY": ("https://api.together.xyz", "https://api.together.ai"),
    "TOGETHER_AI_API_KEY": ("https://api.together.xyz", "https://api.together.ai"),
    "TOGETHER_API_KEY": ("https://api.together.xyz", "https://api.together.ai"),
    "XAI_API_KEY": ("https://api.x.ai",),
}
"""The usual variables of the providers, with the providers' own servers."""


RESERVED = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
"""Parley's own secrets, which are never a provider's key."""


def parse_model_keys(text: str) -> dict[str, tuple[str, ...]]:
    """Return variable → servers, from `NAME=server,server NAME=server`.

    A server without http:// or https:// is one with https. A variable without servers goes to its
    provider's own address alone. Raises ImproperlyConfigured.
    """
    keys = dict(PROVIDERS_OWN)
    for entry in text.split():
        name, separator, servers = entry.partition("=")
        if not (separator and re.fullmatch(r"[A-Z][A-Z0-9_]*", name)) or name in RESERVED:
            raise ImproperlyConfigured(
                f"MODEL_API_KEYS has {entry!r}: write NAME=https://server[,https://server], "
                "entries separated by spaces."
            )
        named = [each for each in servers.split(",") if each]
        keys[name] = tuple(each if "://" in each else f"https://{each}" for each in named)
    return keys


MODEL_API_KEYS = parse_model_keys(env.str("MODEL_API_KEYS", default=""))
"""Environment variables that hold API keys, each with the servers that it may be sent to."""
