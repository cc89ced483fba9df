"""The system check of models whose key may not be sent to their address."""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags, run_checks

from tests.factories import make_language_model
from tests.factories.embedding_models import make_embedding_model


def test_check_names_models_whose_key_is_not_allowed(db: None, settings: Any) -> None:
    settings.MODEL_API_KEYS = {"MINE": ("http://10.0.0.5:8000",)}
    make_language_model("openai/x", api_base="http://10.0.0.5:8000/v1", api_key_env="MINE")
    server = {"api_base": "http://10.0.0.5:8000/v1", "api_key_env": "MINE"}
    make_embedding_model("openai/y", dimensions=4, **server)
    settings.MODEL_API_KEYS = {"MINE": ("http://10.0.0.6:8000",)}
    for warning in run_checks(tags=[Tags.database], databases=["default"]):
        assert warning.id == "chatbots.W001"
        assert "MINE may not be sent to http://10.0.0.5:8000" in warning.msg
    assert len(run_checks(tags=[Tags.database], databases=["default"])) == 2
