"""Seed what the demo's team did: lead statuses, ratings, notes, dismissed questions and exports.

Rows are inserted with past timestamps, except exports, which are really written.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from apps.accounts.models import User
from apps.audit.models import ActorKind, AuditEntry
from apps.audit.services import SYSTEM, user_actor
from apps.conversations.exports.services import ExportFilters, request_export
from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models import Conversation, Message, Rating, RatingValue, Role
from apps.conversations.models.export import Export, ExportFormat
from apps.conversations.unanswered.queries import unanswered_questions
from apps.conversations.unanswered.services import dismiss_question
from apps.credits.alerts import set_low_balance_threshold
from apps.demo.seed_team import TEAM
from apps.leads.models import Lead, LeadStatus
from apps.workspaces import models as workspaces
from apps.workspaces.models import Workspace

ALERT_THRESHOLD = 500
RATING_INTERVAL = 23
"""Every 23rd answer is rated."""
COMMENTS = {
    "Not yet. We expect it in the second week of next month.": "Should offer to send an email.",
    "It may be in your spam folder. I can send it once more if you tell me the order number.": (
        "Asks for the number before it looks: right."
    ),
}
DISMISSED = ("Thanks, that helped!", "Can I talk to a person?", "Where is my order 48213?")
"""Questions to which no knowledge base has an answer."""
NOTE = "Called back, wants the jacket in two sizes to choose from."


def seed_activity(*, workspace: Workspace, leads: Sequence[Lead], now: datetime) -> None:
    """Seed a month of the team's work on conversations and leads."""
    emails = [email for email, role, _ in TEAM if role != workspaces.Role.VIEWER]
    people = list(User.objects.filter(email__in=emails).order_by("email"))
    AuditEntry.objects.bulk_create(_audit_entries(workspace, leads, people, now))
    _rate_answers(workspace, people)
    _dismiss_questions(workspace)
    noted = Conversation.objects.filter(workspace=workspace, id=leads[-1].conversation_id)
    noted.update(note=NOTE)
    set_low_balance_threshold(
        workspace_id=workspace.id, threshold=ALERT_THRESHOLD, actor=user_actor(people[-1])
    )
    _create_exports(workspace, people, now)


def _audit_entries(
    workspace: Workspace, leads: Sequence[Lead], people: Sequence[User], now: datetime
) -> Iterator[AuditEntry]:
    for number, lead in enumerate(leads):
        yield AuditEntry(
            workspace=workspace,
            actor_kind=SYSTEM.kind,
            actor_label=SYSTEM.label,
            action="lead.created",
            target_id=lead.id,
            details={"fields": ["email", "name"]},
            created_at=lead.created_at,
        )
        if lead.status == LeadStatus.NEW:
            continue
        member = number % len(people)
        yield AuditEntry(
            workspace=workspace,
            actor_kind=ActorKind.PERSON,
            actor_id=str(people[member].pk),
            actor_label=people[member].email,
            action="lead.updated",
            target_id=lead.id,
            details={"status": [LeadStatus.NEW, lead.status]},
            ip=f"203.0.113.{24 + member}",
            created_at=lead.created_at + (now - lead.created_at) / 3,
        )


def _rate_answers(workspace: Workspace, people: Sequence[User]) -> None:
    answers = Message.objects.filter(workspace=workspace, role=Role.ASSISTANT)
    rated = answers.order_by("-created_at", "-id")[3::RATING_INTERVAL]
    Rating.objects.bulk_create(
        Rating(
            message=answer,
            workspace=workspace,
            conversation_id=answer.conversation_id,
            value=RatingValue.DOWN if number % 5 == 1 else RatingValue.UP,
            comment=COMMENTS.get(answer.text, ""),
            actor_kind=ActorKind.PERSON,
            actor_id=str(people[number % len(people)].pk),
            actor_label=people[number % len(people)].email,
            created_at=answer.created_at + timedelta(minutes=40),
        )
        for number, answer in enumerate(rated)
    )


def _dismiss_questions(workspace: Workspace) -> None:
    for question in unanswered_questions(workspace.id):
        if question.text in DISMISSED:
            dismiss_question(workspace_id=workspace.id, turn_id=question.turn_id)


def _create_exports(workspace: Workspace, people: Sequence[User], now: datetime) -> None:
    """Create and write two exports, then move their timestamps to the past."""
    week = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
    for number, (file_format, filters) in enumerate(
        (
            (ExportFormat.JSONL, ExportFilters(has_lead=True)),
            (ExportFormat.CSV, ExportFilters(since=week)),
        )
    ):
        export = request_export(
            workspace_id=workspace.id,
            file_format=file_format,
            filters=filters,
            actor=user_actor(people[number % len(people)]),
        )
        write_pending_exports(max_seconds=30)
        requested_at = now - timedelta(days=2 - number, hours=3)
        Export.objects.filter(workspace=workspace, id=export.id).update(
            created_at=requested_at, finished_at=requested_at + timedelta(seconds=4)
        )
