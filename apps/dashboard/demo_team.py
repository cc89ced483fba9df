"""What people have done in the demo's workspace: members, keys, chatbots that changed, a webhook
endpoint, and the log of all of it. Rows of the past; nothing is sent to anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import User
from apps.api_keys.models import ApiKey, Scope
from apps.api_keys.services import issue_key
from apps.audit.models import ActorKind, AuditEntry
from apps.audit.services import Actor, person
from apps.chatbots.models import Chatbot, ChatbotVersion
from apps.chatbots.services import update_chatbot
from apps.dashboard.demo_talk import PROMPTS
from apps.leads.models import Lead, LeadStatus
from apps.webhooks.models import Delivery, DeliveryStatus, Endpoint, Event, EventType
from apps.webhooks.services import create_endpoint
from apps.webhooks.signing import signature_headers
from apps.workspaces.models import Invitation, Role, Workspace
from apps.workspaces.services import add_member

TEAM = (
    ("mara.lindqvist@demo.example", Role.ADMIN),
    ("joel.okafor@demo.example", Role.MEMBER),
    ("priya.raman@demo.example", Role.VIEWER),
)
INVITED = "sven.albers@demo.example"
RECEIVER = "https://hooks.shop.example/parley"
"""An address that no name server knows: nothing of a demo reaches a stranger."""


def settle_in(
    *, workspace: Workspace, owner: User, chatbots: list[Chatbot], now: datetime
) -> list[ApiKey]:
    """Fill a workspace with people and what they set up. Returns the keys that programs use."""
    people = [owner, *_members(workspace, owner, now)]
    actors = [person(user) for user in people]
    with_hands = dict(zip(("owner", "admin", "member"), actors, strict=False))
    _change(chatbots, with_hands, now)
    keys = _keys(workspace, with_hands["admin"], now)
    _endpoint(workspace, with_hands["admin"], now)
    return keys


def _members(workspace: Workspace, owner: User, now: datetime) -> list[User]:
    users = []
    for email, role in TEAM:
        user = User.objects.create_user(email)
        add_member(workspace=workspace, user=user, role=role)
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
    for hours, status in enumerate((500, 200, 200, 200)):
        at = began + timedelta(hours=26 * hours + 1)
        _delivery(endpoint, secret, at, status)


def _delivery(endpoint: Endpoint, secret: str, at: datetime, status: int) -> None:
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
        duration_ms=84 if arrived else 1204,
        response_status=status,
        response_body='{"received": true}' if arrived else "Internal Server Error",
        request_headers={"content-type": "application/json", **signed},
        created_at=at,
    )


def log_of(workspace: Workspace, leads: Sequence[Lead], now: datetime) -> None:
    """A month in which the team worked on its leads: one entry for each that was moved."""
    emails = [email for email, role in TEAM if role != Role.VIEWER]
    people = list(User.objects.filter(email__in=emails).order_by("email"))
    moved = [lead for lead in leads if lead.status != LeadStatus.NEW]
    AuditEntry.objects.bulk_create(
        AuditEntry(
            workspace=workspace,
            actor_kind=ActorKind.PERSON,
            actor_id=str(people[number % len(people)].pk),
            actor_label=people[number % len(people)].email,
            action="lead.updated",
            target_id=lead.id,
            target_label=str(lead),
            details={"status": [LeadStatus.NEW, lead.status]},
            ip=f"203.0.113.{24 + number % len(people)}",
            created_at=lead.created_at + (now - lead.created_at) / 3,
        )
        for number, lead in enumerate(moved)
    )
