"""Checks of the catalogue of models, run by `check --database default` and `migrate`."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections

from apps.chatbots.models import EmbeddingModel, LanguageModel
from apps.llm.errors import KeyNotAllowed
from apps.llm.provider_keys import require_key_allowed


def check_model_keys(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Warn of each active model whose key may not be sent to its address: its turns fail."""
    if not databases or "default" not in databases:
        return []
    tables = connections["default"].introspection.table_names()
    found: list[checks.CheckMessage] = []
    for kind in (LanguageModel, EmbeddingModel):
        if kind._meta.db_table in tables:
            found += _refused_keys(kind)
    return found


def _refused_keys(kind: type[LanguageModel | EmbeddingModel]) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    rows = kind._default_manager.filter(is_active=True)
    for model in rows.only("name", "litellm_model", "api_base", "api_key_env"):
        try:
            require_key_allowed(
                variable=model.api_key_env,
                api_base=model.api_base,
                litellm_id=model.litellm_model,
            )
        except KeyNotAllowed as error:
            text = f"{model.name} cannot answer: {error}."
            found.append(checks.Warning(text, id="chatbots.W001"))
    return found
