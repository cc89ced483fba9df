"""Rows of every model for the tests of the admin, and URLs of its pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import models
from django.urls import reverse
from django.utils import timezone

from apps.adjustments.models import Adjustment, AdjustmentLine
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.api_keys.services import issue_key
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM, record
from apps.chatbots.models import ChatbotVersion, PriceChange
from apps.conversations.models import (
    Citation,
    Conversation,
    Message,
    Passage,
    QuestionReview,
    Rating,
    SearchProgress,
    Turn,
    TurnSweep,
)
from apps.conversations.models.export import Export, ExportPart
from apps.conversations.search import index_new_messages
from apps.core.ids import new_id
from apps.credits.credit_requests import request_credits
from apps.credits.models import (
    Account,
    AccountCheck,
    Alert,
    CreditRequest,
    EntryApproval,
    LedgerEntry,
    Lot,
    NightlyCheck,
    Plan,
    Statement,
    WelcomeGrant,
)
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    Chunk,
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceFile,
    UnchargedEmbedding,
)
from apps.leads.models import CapturedField, Lead, Reading
from apps.reporting.reconciliation import check_account
from apps.webhooks.models import Delivery, Endpoint, Event, EventType
from apps.webhooks.services import emit
from apps.workspaces.models import Erasure, Invitation, Member, Role
from apps.workspaces.services import invite, request_erasure
from tests.adjustments.adjustment_factories import (
    approve_as,
    make_pending_adjustment,
    make_posted_adjustment,
    make_staff,
)
from tests.conversations.citation_factory import make_citation
from tests.conversations.export_factory import make_export
from tests.factories import (
    UNREACHABLE_URL,
    Team,
    grant_credits,
    make_chatbot,
    make_team,
    make_webhook_endpoint,
)
from tests.knowledge.knowledge_factory import make_knowledge
from tests.turns.turn_factory import complete_turn, make_running_turn

OUR_MODELS = sorted(
    (model for model in apps.get_models() if model.__module__.startswith("apps.")),
    key=lambda model: model.__name__,
)
HISTORY_MODELS = [
    Account,
    Adjustment,
    AdjustmentLine,
    AccountCheck,
    Alert,
    ApiKey,
    AuditEntry,
    CapturedField,
    ChatbotKnowledgeBase,
    ChatbotVersion,
    Chunk,
    ChunkOverride,
    ChunkVector,
    Citation,
    Conversation,
    CreditRequest,
    Delivery,
    Document,
    Endpoint,
    EntryApproval,
    Erasure,
    Event,
    Export,
    ExportPart,
    Generation,
    IdempotentAnswer,
    Invitation,
    KnowledgeBase,
    Lead,
    LedgerEntry,
    Lot,
    Member,
    Message,
    NightlyCheck,
    Passage,
    PriceChange,
    QuestionReview,
    Rating,
    Reading,
    SearchProgress,
    Source,
    SourceFile,
    Statement,
    Turn,
    TurnSweep,
    UnchargedEmbedding,
    WelcomeGrant,
]
TOKEN = "Secret-in-the-customers-url"
USER_TEXT, ANSWER, UNFINISHED = "Text-of-the-user", "Text-of-the-answer", "Text-of-a-running-turn"


def make_admin_rows() -> tuple[Team, str]:
    """Create a team with a row of every model; returns it and the secret of its API key."""
    team = make_team()
    grant_credits(team.workspace, 10)
    make_posted_adjustment(team.workspace, 5)
    approve_as(make_pending_adjustment(team.workspace, 1_000_000), make_staff("finance"))
    make_pending_adjustment(team.workspace, 1_000_000)
    Plan.objects.create(slug=new_id(), name="Plan", monthly_credits=10)
    WelcomeGrant.objects.get_or_create(user=team.alice, defaults={"workspace": team.workspace})
    TurnSweep.objects.get_or_create(pk=1)
    Alert.objects.create(workspace=team.workspace, kind="exhausted", balance=0)
    request_credits(
        workspace_id=team.workspace.id, credits=5, note="", user=team.alice, actor=SYSTEM
    )
    request_erasure(workspace=team.workspace, user_id=USER_TEXT, actor=SYSTEM)
    key, secret = issue_key(workspace=team.workspace, name="n")
    IdempotentAnswer.objects.create(
        workspace=team.workspace,
        api_key=key,
        idempotency_key=f"key {key.id}",
        request_digest=TOKEN,
        status=201,
        sealed_body=TOKEN,
    )
    chatbot = make_chatbot(team.workspace)
    fields = {"text": USER_TEXT, "metadata": {"who": USER_TEXT}, "api_key_id": key.id}
    complete_turn(make_running_turn(chatbot, credits=1, **fields), ANSWER)
    Turn.objects.filter(pk=make_running_turn(chatbot, **fields).pk).update(text_so_far=UNFINISHED)
    make_export(team.workspace)
    now = timezone.now()
    night, _ = NightlyCheck.objects.get_or_create(day=now, defaults={"claimed_until": now})
    check_account(night=night, workspace_id=team.workspace.id)
    record(workspace_id=team.workspace.id, actor=SYSTEM, action="key.issued")
    owner = Member.objects.get(workspace=team.workspace, user=team.alice)
    invite(
        workspace=team.workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=owner,
        actor=SYSTEM,
    )
    CapturedField.objects.create(
        workspace=team.workspace,
        lead=Lead.objects.create(
            workspace=team.workspace,
            chatbot=chatbot,
            name=USER_TEXT,
            email=f"{USER_TEXT.lower()}@example.com",
            phone="+442079460958",
            source=USER_TEXT,
            metadata={"who": USER_TEXT},
        ),
        message=Message.objects.filter(workspace=team.workspace)[0],
        field="name",
        value=USER_TEXT,
    )
    index_new_messages()
    answer = Message.objects.get(workspace=team.workspace, role="assistant")
    make_citation(
        answer.turn, title=USER_TEXT, url=f"https://example.com/{USER_TEXT}", text=USER_TEXT
    )
    QuestionReview.objects.create(workspace=team.workspace, turn=answer.turn, outcome="dismissed")
    Rating.objects.create(
        workspace=team.workspace,
        conversation_id=answer.conversation_id,
        message=answer,
        value="up",
        comment=USER_TEXT,
        actor_kind="person",
        actor_label=team.alice.email,
    )
    Conversation.objects.filter(workspace=team.workspace).update(
        title=USER_TEXT, note=USER_TEXT, source=USER_TEXT
    )
    Reading.objects.create(
        workspace=team.workspace, turn=Turn.objects.filter(workspace=team.workspace)[0]
    )
    make_webhook_endpoint(team.workspace, url=f"{UNREACHABLE_URL}?token={TOKEN}")
    make_knowledge(chatbot, text=USER_TEXT)
    event = EventType.LEAD_CREATED
    emit(workspace_id=team.workspace.id, event=event, data={"name": USER_TEXT})
    answered = {"response_body": USER_TEXT, "request_headers": {"X-Said": USER_TEXT}}
    Delivery.objects.filter(workspace=team.workspace).update(**answered)
    return team, secret


@dataclass(frozen=True)
class AdminRows:
    """A team with a row of every model, and the secret of its API key."""

    team: Team
    secret: str
    keys: dict[type[models.Model], list[str]]
    """The primary keys of the rows, the oldest first."""

    def first(self, model: type[models.Model]) -> str:
        return self.keys[model][0]


def make_known_rows() -> AdminRows:
    """Make the rows; other tests' rows, which may be many, are not among the keys.

    A model of which there is one row for all workspaces has that row.
    """
    before = {model: set(_keys(model)) for model in OUR_MODELS}
    team, secret = make_admin_rows()
    after = {model: _keys(model) for model in OUR_MODELS}
    keys = {
        model: [key for key in found if key not in before[model]] or found
        for model, found in after.items()
    }
    return AdminRows(team, secret, keys)


def _keys(model: type[models.Model]) -> list[str]:
    return [str(key) for key in model._default_manager.order_by("pk").values_list("pk", flat=True)]


def admin_url(model: type[models.Model], page: str, *arguments: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)
