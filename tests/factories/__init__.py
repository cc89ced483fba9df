"""Rows for tests, created by the product's services.

Names are unique, so that tests that commit can share one database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP

from apps.accounts.models import User
from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.services import create_chatbot, create_language_model
from apps.core.ids import new_id
from apps.credits.services import grant
from apps.webhooks.models import SUBSCRIBABLE_EVENT_TYPES, Endpoint
from apps.webhooks.services import create_endpoint
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services import create_workspace

UNREACHABLE_URL = "http://127.0.0.1:9/hook"
"""A URL on loopback that no process listens on."""


@dataclass(frozen=True)
class Team:
    """Alice owns the workspace, Bob is a member of it, Charlie owns another workspace."""

    workspace: Workspace
    alice: User
    bob: User
    charlie: User
    other_workspace: Workspace


def make_user(name: str = "user", **fields: Any) -> User:
    """A user; one of the staff has an authenticator app, which the admin requires."""
    email = f"{name}-{new_id()}@example.com"
    user = User.objects.create_user(email, "a-good-password", **fields)
    if user.is_staff:
        TOTP.activate(user, secret="JBSWY3DPEHPK3PXP")
    return user


def make_workspace(owner: User | None = None) -> Workspace:
    return create_workspace(slug=f"w-{new_id()}", owner=owner or make_user("owner"))


def make_team() -> Team:
    """Alice, Bob, Charlie and their workspaces, by three statements.

    Two thousand tests begin with a team. The services would run seventy statements, most of them
    checks of what is well-formed here by construction.
    """
    alice, bob, charlie = users = [_new_user(name) for name in ("alice", "bob", "charlie")]
    User.objects.bulk_create(users)
    workspace, other_workspace = Workspace.objects.bulk_create(
        Workspace(slug=slug, name=slug, created_by=owner)
        for slug, owner in ((f"w-{new_id()}", alice), (f"w-{new_id()}", charlie))
    )
    Member.objects.bulk_create(
        [
            Member(workspace=workspace, user=alice, role=Role.OWNER),
            Member(workspace=workspace, user=bob, role=Role.MEMBER),
            Member(workspace=other_workspace, user=charlie, role=Role.OWNER),
        ]
    )
    return Team(workspace, alice, bob, charlie, other_workspace)


def _new_user(name: str) -> User:
    user = User(email=f"{name}-{new_id()}@example.com")
    user.set_password("a-good-password")
    return user


def delete_webhook_endpoints(team: Team) -> None:
    """Delete the team's endpoints, so that workers of later tests do not retry their deliveries."""
    Endpoint.objects.filter(workspace__in=[team.workspace, team.other_workspace]).delete()


def make_language_model(litellm_model: str = "sandbox/echo", **fields: Any) -> LanguageModel:
    """A new language model. `credits_per_reply` and the like set its price."""
    return create_language_model(name=f"model-{new_id()}", litellm_model=litellm_model, **fields)


def make_chatbot(
    workspace: Workspace, model: LanguageModel | str = "sandbox/echo", **fields: Any
) -> Chatbot:
    language_model = make_language_model(model) if isinstance(model, str) else model
    return create_chatbot(
        workspace=workspace,
        name=fields.pop("name", "Bot"),
        language_model=language_model,
        **fields,
    )


def make_api_key(workspace: Workspace, scopes: Sequence[str] = (Scope.CHAT,)) -> str:
    """The secret of a new API key."""
    return issue_key(workspace=workspace, name="test", scopes=scopes)[1]


def grant_credits(workspace: Workspace, credits: int) -> None:
    grant(workspace_id=workspace.id, credits=credits, reason="for a test")


def make_webhook_endpoint(
    workspace: Workspace,
    *event_types: str,
    url: str = UNREACHABLE_URL,
    **fields: Any,
) -> tuple[Endpoint, str]:
    """A webhook endpoint, by default for all event types, and its secret."""
    return create_endpoint(
        workspace_id=workspace.id,
        actor=SYSTEM,
        url=url,
        event_types=event_types or SUBSCRIBABLE_EVENT_TYPES,
        **fields,
    )
