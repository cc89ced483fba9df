"""Seed members, API keys, chatbot versions and a webhook endpoint of the demo workspace.

Rows have past timestamps, and nothing is sent.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.audit.services import Actor, user_actor
from apps.chatbots.models import Chatbot, ChatbotVersion
from apps.chatbots.services import update_chatbot
from apps.demo.shop_texts import PROMPTS
from apps.webhooks.models import Delivery, DeliveryStatus, Endpoint, Event, EventType
from apps.webhooks.services import create_endpoint
from apps.webhooks.signing import signature_headers
from apps.workspaces.models import Invitation, Member, Role, Workspace
from apps.workspaces.services import add_member

TEAM = (
    ("mara.lindqvist@demo.example", Role.ADMIN, 30),
    ("joel.okafor@demo.example", Role.MEMBER, 27),
    ("priya.raman@demo.example", Role.VIEWER, 9),
)
"""Email, role and days of membership."""
INVITED = "sven.albers@demo.example"
RECEIVER = "https://hooks.shop.example/parley"
"""A host that does not resolve, so that the demo sends nothing."""


def seed_team(
    *, workspace: Workspace, owner: User, chatbots: list[Chatbot], now: datetime
) -> list[ApiKey]:
    """Add members and their settings to a workspace. Return the API keys that may chat."""
    people = [owner, *_add_members(workspace, owner, now)]
    actors = [user_actor(user) for user in people]
    actors_by_role = dict(zip(("owner", "admin", "member"), actors, strict=False))
    _change_chatbots(chatbots, actors_by_role, now)
    keys = _create_keys(workspace, actors_by_role["admin"], now)
    _create_endpoint(workspace, actors_by_role["admin"], now)
    return keys


def _add_members(workspace: Workspace, owner: User, now: datetime) -> list[User]:
    users = []
    created_at = now - timedelta(days=30, hours=1)
    Workspace.objects.filter(id=workspace.id).update(created_at=created_at)
    Member.objects.filter(workspace=workspace, user=owner).update(created_at=created_at)
    for email, role, age in TEAM:
        user = User.objects.create_user(email)
        add_member(workspace=workspace, user=user, role=role)
        joined = now - timedelta(days=age)
        Member.objects.filter(workspace=workspace, user=user).update(created_at=joined)
        users.append(user)
    Invitation.objects.create(
        workspace=workspace,
        email=INVITED,
        role=Role.MEMBER,
        invited_by=owner,
        expires_at=now + timedelta(days=5),
    )
    return users


def _change_chatbots(chatbots: list[Chatbot], actors: Mapping[str, Actor], now: datetime) -> None:
    changes_by_chatbot: list[tuple[int, str, dict[str, Any]]] = [
        (0, "owner", {"rate_limit_requests": 120}),
        (0, "member", {"temperature": 0.2}),
        (1, "admin", {"system_prompt": PROMPTS[0]}),
        (1, "member", {"system_prompt": PROMPTS[1], "temperature": 0.4}),
        (1, "admin", {"rate_limit_requests": 30, "lead_capture": "detect"}),
        (2, "member", {"system_prompt": PROMPTS[2], "max_reply_tokens": 300}),
    ]
    for number, role, changes in changes_by_chatbot:
        if number < len(chatbots):
            update_chatbot(chatbot=chatbots[number], actor=actors[role], changes=changes)
    Chatbot.objects.filter(id__in=[each.id for each in chatbots]).update(
        created_at=now - timedelta(days=29)
    )
    versions = ChatbotVersion.objects.filter(chatbot__in=chatbots)
    for version in versions:
        ago = timedelta(days=29 - 7 * (version.number - 1), hours=version.number * 5)
        versions.filter(id=version.id).update(created_at=now - ago)


def _create_keys(workspace: Workspace, actor: Actor, now: datetime) -> list[ApiKey]:
    keys = []
    for name, scopes, age in (
        ("Website", [Scope.CHAT], 29),
        ("Shop app", [Scope.CHAT, Scope.READ], 21),
        ("Nightly report", [Scope.READ], 12),
    ):
        key, _ = issue_key(workspace=workspace, name=name, scopes=scopes, actor=actor)
        keys.append(key)
        last_used_at = now - timedelta(minutes=7 * age)
        ApiKey.objects.filter(id=key.id).update(
            created_at=now - timedelta(days=age), last_used_at=last_used_at
        )
    return [key for key in keys if Scope.CHAT in key.scopes]


def _create_endpoint(workspace: Workspace, actor: Actor, now: datetime) -> None:
    endpoint, secret = create_endpoint(
        workspace_id=workspace.id,
        actor=actor,
        url=RECEIVER,
        event_types=[EventType.CREDITS_LOW, EventType.CREDITS_EXHAUSTED],
        description="Tells the shop's team",
    )
    created_at = now - timedelta(days=20)
    Endpoint.objects.filter(id=endpoint.id).update(created_at=created_at)
    for days, status, duration_ms in ((0, 500, 1204), (1, 200, 112), (9, 200, 84), (17, 200, 96)):
        time = created_at + timedelta(days=days, hours=1)
        _create_delivery(endpoint, secret, time, status, duration_ms)


def _create_delivery(
    endpoint: Endpoint, secret: str, at: datetime, status: int, duration_ms: int
) -> None:
    event = Event.objects.create(
        workspace_id=endpoint.workspace_id,
        type=EventType.WEBHOOK_TEST,
        data={"workspaceId": endpoint.workspace_id, "endpointId": endpoint.id},
        created_at=at,
    )
    is_delivered = status == 200
    body = b"{}"
    signature = signature_headers(
        secrets=[secret], event_id=event.id, timestamp=int(at.timestamp()), body=body
    )
    Delivery.objects.create(
        workspace_id=endpoint.workspace_id,
        event=event,
        endpoint=endpoint,
        status=DeliveryStatus.DELIVERED if is_delivered else DeliveryStatus.FAILED,
        attempts=1 if is_delivered else 8,
        next_attempt_at=None,
        last_attempt_at=at,
        duration_ms=duration_ms,
        response_status=status,
        response_body='{"received": true}' if is_delivered else "Internal Server Error",
        request_headers={"content-type": "application/json", **signature},
        created_at=at,
    )
