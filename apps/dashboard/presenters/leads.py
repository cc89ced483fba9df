"""Leads as the dashboard shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from apps.conversations.models import Message
from apps.leads.models import CapturedField, Lead, LeadStatus
from apps.leads.queries import leads_for

STATUS_CHOICES = [(each.value, str(each.label).capitalize()) for each in LeadStatus]
"""The steps of the pipeline and what a page calls them."""


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """A step of the pipeline, and how many leads stand there; empty for all of them."""

    status: str
    label: str
    count: int


def pipeline_stages(workspace_id: str) -> list[PipelineStage]:
    """All leads of the workspace, then those of each status in its order: one statement."""
    rows = leads_for(workspace_id).values_list("status").annotate(Count("id")).order_by()
    counts: dict[str, int] = dict(rows)
    steps = [
        PipelineStage(status, label, counts.get(status, 0)) for status, label in STATUS_CHOICES
    ]
    return [PipelineStage("", "All", sum(counts.values())), *steps]


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A message of the visitor's, and what was read out of it."""

    message: Message
    captured: list[CapturedField]


def source_messages(lead: Lead) -> list[SourceMessage]:
    """The messages in which a lead's details were given, oldest first: one statement."""
    found = CapturedField.objects.filter(workspace_id=lead.workspace_id, lead=lead)
    said: dict[str, SourceMessage] = {}
    for each in found.select_related("message").order_by("created_at", "id"):
        said.setdefault(each.message_id, SourceMessage(each.message, [])).captured.append(each)
    return list(said.values())
