"""Checks of the catalogue of language models, run by `check --database default` and `migrate`."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections

from apps.chatbots.models import LanguageModel
from apps.llm.errors import KeyNotAllowed
from apps.llm.provider_keys import require_key_allowed


def check_model_keys(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Warn of each active model whose key may not be sent to its address: its turns fail."""
    if not databases or "default" not in databases:
        return []
    if LanguageModel._meta.db_table not in connections["default"].introspection.table_names():
        return []
    found: list[checks.CheckMessage] = []
    for model in LanguageModel.objects.filter(is_active=True).only(
        "name", "litellm_model", "api_base", "api_key_env"
    ):
        try:
            require_key_allowed(
                variable=model.api_key_env,
                api_base=model.api_base,
                litellm_id=model.litellm_model,
            )
        except KeyNotAllowed as error:
            found.append(
                checks.Warning(f"{model.name} cannot answer: {error}.", id="chatbots.W001")
            )
    return found
