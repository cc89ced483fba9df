"""Create the workspaces that benchmarks work in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import User
from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.chatbots.services import create_chatbot, create_language_model
from apps.credits.services import grant
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace


@dataclass(frozen=True)
class Tenant:
    """A workspace with credits, its owner and an API key."""

    owner: User
    workspace: Workspace
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    def create_chatbot(
        self, litellm_model: str = "sandbox/echo", *, api_base: str = "", **fields: Any
    ) -> Chatbot:
        """Create a chatbot with its own language model and a rate limit that is not reached.

        `fields` are the chatbot's.
        """
        name = f"bench-{secrets.token_hex(4)}"
        model = create_language_model(
            name=name, litellm_model=litellm_model, api_base=api_base, credits_per_reply=1
        )
        return create_chatbot(
            workspace=self.workspace,
            name=name,
            language_model=model,
            rate_limit_requests=10_000,
            rate_limit_window_seconds=1,
            **fields,
        )


def create_tenant(*, scopes: Sequence[str] = ("chat",), rate_limit_per_hour: int = 1000) -> Tenant:
    """Create a workspace with 10,000,000 credits."""
    name = f"bench-{secrets.token_hex(4)}"
    owner = User.objects.create_user(f"{name}@example.com")
    workspace = create_workspace(slug=name, owner=owner)
    grant(workspace_id=workspace.id, credits=10_000_000, reason="benchmark")
    _, api_key = issue_key(
        workspace=workspace, name=name, scopes=scopes, rate_limit_per_hour=rate_limit_per_hour
    )
    return Tenant(owner, workspace, api_key)
