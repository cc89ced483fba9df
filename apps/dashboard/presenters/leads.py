"""The lead pipeline, and the messages that a lead was captured from."""

from dataclasses import dataclass

from django.db.models import Count

from apps.conversations.models import Message
from apps.dashboard.forms.leads import STATUS_CHOICES
from apps.leads.models import CapturedField, Lead
from apps.leads.queries import leads_for


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """A status with its number of leads. The empty status stands for all leads."""

    status: str
    label: str
    count: int


def pipeline_stages(workspace_id: str) -> list[PipelineStage]:
    """The counts of all leads and of each status, in one query."""
    rows = leads_for(workspace_id).values_list("status").annotate(Count("id")).order_by()
    counts: dict[str, int] = dict(rows)
    stages = [
        PipelineStage(status, label, counts.get(status, 0)) for status, label in STATUS_CHOICES
    ]
    return [PipelineStage("", "All", sum(counts.values())), *stages]


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A user message, and the fields that were captured from it."""

    message: Message
    captured: list[CapturedField]


def source_messages(lead: Lead) -> list[SourceMessage]:
    """The messages that the lead's fields were captured from, oldest first, in one query."""
    fields = CapturedField.objects.filter(workspace_id=lead.workspace_id, lead=lead)
    sources: dict[str, SourceMessage] = {}
    for field in fields.select_related("message").order_by("created_at", "id"):
        sources.setdefault(field.message_id, SourceMessage(field.message, [])).captured.append(
            field
        )
    return list(sources.values())
