"""A tenant for benchmarks that need but one chatbot."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from apps.accounts.models import User
from apps.api_keys.services import issue_key
from apps.chatbots.services import create_chatbot, create_language_model
from apps.credits.services import grant
from apps.workspaces.services import create_workspace


def new_tenant(stack: ExitStack, litellm_model: str, **model_fields: Any) -> tuple[str, str, Path]:
    """A workspace with credits: its chatbot's id, an API key, and a folder for logs."""
    name = f"bench-{secrets.token_hex(4)}"
    owner = User.objects.create_user(f"{name}@example.com")
    workspace = create_workspace(slug=name, owner=owner)
    grant(workspace_id=workspace.id, credits=1_000_000, reason="benchmark")
    model = create_language_model(
        name=name, litellm_model=litellm_model, credits_per_reply=1, **model_fields
    )
    chatbot = create_chatbot(
        workspace=workspace,
        name=name,
        language_model=model,
        rate_limit_requests=10_000,
        rate_limit_window_seconds=1,
        max_reply_tokens=4096,
    )
    _, key = issue_key(workspace=workspace, name=name)
    return chatbot.id, key, Path(stack.enter_context(tempfile.TemporaryDirectory()))
