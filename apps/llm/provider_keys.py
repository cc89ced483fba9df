"""The keys of model providers. They live in the environment, never in the database."""

from __future__ import annotations

import os

from apps.llm.errors import ProviderUnavailable


def api_key_from_env(variable: str) -> str:
    """The key in an environment variable, read anew at each call; "" when none is named.

    Raises: ProviderUnavailable when the variable is named but empty.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ProviderUnavailable(f"the environment variable {variable} holds no key")
    return key
