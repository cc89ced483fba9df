"""What is forgotten of leads: of a deleted workspace, in time, or with a conversation."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.leads.models import CapturedField, Lead, Reading

ERASURE_BATCH_SIZE = 200


def erase(workspace_id: str) -> None:
    """Remove all of them: every field is about a person."""
    for model in (CapturedField, Reading, Lead):
        model._default_manager.filter(workspace_id=workspace_id).delete()


def erase_unchanged_since(workspace_id: str, moment: datetime) -> int:
    """Remove some of the leads that nobody has changed since then, oldest first; how many."""
    old = Lead.objects.filter(workspace_id=workspace_id, created_at__lt=moment)
    ids = old.filter(updated_at__lt=moment).order_by("created_at").values_list("id", flat=True)
    return _delete(workspace_id, list(ids[:ERASURE_BATCH_SIZE]), Q(updated_at__lt=moment))


def lead_ids_from_conversations(workspace_id: str, conversation_ids: Collection[str]) -> list[str]:
    """The leads that came out of these conversations, or of which one told something."""
    of_workspace = Lead.objects.filter(workspace_id=workspace_id)
    told = CapturedField.objects.filter(
        workspace_id=workspace_id, message__conversation_id__in=list(conversation_ids)
    )
    found = of_workspace.filter(
        Q(conversation_id__in=list(conversation_ids)) | Q(id__in=told.values("lead_id"))
    )
    return list(found.values_list("id", flat=True))


def erase_leads(workspace_id: str, lead_ids: Collection[str]) -> int:
    """Remove these leads, with what was captured of them; how many there were."""
    return _delete(workspace_id, lead_ids, Q())


def unlink_conversation(*, workspace_id: str, conversation_id: str, **_: Any) -> None:
    """Clear an erased conversation from its leads: they are a person's details and stay."""
    leads = Lead.objects.filter(workspace_id=workspace_id, conversation_id=conversation_id)
    leads.update(conversation=None)


def _delete(workspace_id: str, lead_ids: Collection[str], still: Q) -> int:
    leads = Lead.objects.filter(still, workspace_id=workspace_id, id__in=list(lead_ids))
    return leads.delete()[1].get("leads.Lead", 0)
