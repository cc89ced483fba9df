"""Leads as the dashboard shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from apps.leads.models import CapturedField, Lead, LeadStatus
from apps.leads.queries import leads_of


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the pipeline, and how many leads stand there; empty for all of them."""

    status: str
    label: str
    count: int


def pipeline_of(workspace_id: str) -> list[Step]:
    """All leads of the workspace, then those of each status in its order: one statement."""
    rows = leads_of(workspace_id).values_list("status").annotate(Count("id")).order_by()
    counts: dict[str, int] = dict(rows)
    steps = [Step(each.value, str(each.label), counts.get(each, 0)) for each in LeadStatus]
    return [Step("", "All", sum(counts.values())), *steps]


def captured_of(lead: Lead) -> QuerySet[CapturedField]:
    """What the visitor gave, oldest first, each with the message in which they did."""
    found = CapturedField.objects.filter(workspace_id=lead.workspace_id, lead=lead)
    return found.select_related("message").order_by("created_at", "id")
