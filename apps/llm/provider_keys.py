"""API keys of model providers. They are environment variables, never in the database."""

import os

from apps.llm.errors import ProviderUnavailable


def api_key_from_env(variable: str) -> str:
    """Return the variable's key, "" for no variable. Raises: ProviderUnavailable if it is empty."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ProviderUnavailable(f"the environment variable {variable} holds no key")
    return key
