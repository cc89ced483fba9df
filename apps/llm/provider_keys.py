"""API keys of model providers. They are environment variables, never in the database."""

import os

from apps.llm.errors import ProviderUnavailable


def api_key_from_env(variable: str) -> str:
    """Return the key in an environment variable, read at each call; "" if `variable` is "".

    Raises: ProviderUnavailable when the variable is not set or empty.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ProviderUnavailable(f"the environment variable {variable} holds no key")
    return key
