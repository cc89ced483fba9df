"""Who is in the demo's workspace and what they set up: members, keys, chatbots that changed, a
webhook endpoint. Rows of the past; nothing is sent to anybody."""

from __future__ import annotations

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
"""Email, role, and for how many days they have been there."""
INVITED = "sven.albers@demo.example"
RECEIVER = "https://hooks.shop.example/parley"
"""An address that no name server knows: nothing of a demo reaches a stranger."""


def seed_team(
    *, workspace: Workspace, owner: User, chatbots: list[Chatbot], now: datetime
) -> list[ApiKey]:
    """Fill a workspace with people and what they set up. Returns the keys that programs use."""
    people = [owner, *_members(workspace, owner, now)]
    actors = [user_actor(user) for user in people]
    with_hands = dict(zip(("owner", "admin", "member"), actors, strict=False))
    _change(chatbots, with_hands, now)
    keys = _keys(workspace, with_hands["admin"], now)
    _endpoint(workspace, with_hands["admin"], now)
    return keys


def _members(workspace: Workspace, owner: User, now: datetime) -> list[User]:
    users = []
    began = now - timedelta(days=30, hours=1)
    Workspace.objects.filter(id=workspace.id).update(created_at=began)
    Member.objects.filter(workspace=workspace, user=owner).update(created_at=began)
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


def _change(chatbots: list[Chatbot], hands: Mapping[str, Actor], now: datetime) -> None:
    """Each chatbot came to what it is in a few steps."""
    steps: list[tuple[int, str, dict[str, Any]]] = [
        (0, "owner", {"rate_limit_requests": 120}),
        (0, "member", {"temperature": 0.2}),
        (1, "admin", {"system_prompt": PROMPTS[0]}),
        (1, "member", {"system_prompt": PROMPTS[1], "temperature": 0.4}),
        (1, "admin", {"rate_limit_requests": 30, "lead_capture": "detect"}),
        (2, "member", {"system_prompt": PROMPTS[2], "max_reply_tokens": 300}),
    ]
    for which, hand, changes in steps:
        if which < len(chatbots):
            update_chatbot(chatbot=chatbots[which], actor=hands[hand], changes=changes)
    Chatbot.objects.filter(id__in=[each.id for each in chatbots]).update(
        created_at=now - timedelta(days=29)
    )
    versions = ChatbotVersion.objects.filter(chatbot__in=chatbots)
    for version in versions:
        ago = timedelta(days=29 - 7 * (version.number - 1), hours=version.number * 5)
        versions.filter(id=version.id).update(created_at=now - ago)


def _keys(workspace: Workspace, hand: Actor, now: datetime) -> list[ApiKey]:
    keys = []
    for name, scopes, age in (
        ("Website", [Scope.CHAT], 29),
        ("Shop app", [Scope.CHAT, Scope.READ], 21),
        ("Nightly report", [Scope.READ], 12),
    ):
        key, _ = issue_key(workspace=workspace, name=name, scopes=scopes, actor=hand)
        keys.append(key)
        used = now - timedelta(minutes=7 * age)
        ApiKey.objects.filter(id=key.id).update(
            created_at=now - timedelta(days=age), last_used_at=used
        )
    return [key for key in keys if Scope.CHAT in key.scopes]


def _endpoint(workspace: Workspace, hand: Actor, now: datetime) -> None:
    endpoint, secret = create_endpoint(
        workspace_id=workspace.id,
        actor=hand,
        url=RECEIVER,
        event_types=[EventType.CREDITS_LOW, EventType.CREDITS_EXHAUSTED],
        description="Tells the shop's team",
    )
    began = now - timedelta(days=20)
    Endpoint.objects.filter(id=endpoint.id).update(created_at=began)
    for days, status, took in ((0, 500, 1204), (1, 200, 112), (9, 200, 84), (17, 200, 96)):
        _delivery(endpoint, secret, began + timedelta(days=days, hours=1), status, took)


def _delivery(endpoint: Endpoint, secret: str, at: datetime, status: int, took: int) -> None:
    event = Event.objects.create(
        workspace_id=endpoint.workspace_id,
        type=EventType.WEBHOOK_TEST,
        data={"workspaceId": endpoint.workspace_id, "endpointId": endpoint.id},
        created_at=at,
    )
    arrived = status == 200
    body = b"{}"
    signed = signature_headers(
        secrets=[secret], event_id=event.id, timestamp=int(at.timestamp()), body=body
    )
    Delivery.objects.create(
        workspace_id=endpoint.workspace_id,
        event=event,
        endpoint=endpoint,
        status=DeliveryStatus.DELIVERED if arrived else DeliveryStatus.FAILED,
        attempts=1 if arrived else 8,
        next_attempt_at=None,
        last_attempt_at=at,
        duration_ms=took,
        response_status=status,
        response_body='{"received": true}' if arrived else "Internal Server Error",
        request_headers={"content-type": "application/json", **signed},
        created_at=at,
    )
