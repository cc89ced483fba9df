"""Erasure of leads: with their workspace, past their retention period, or for one end user."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.leads.models import CapturedField, Lead, Reading

ERASURE_BATCH_SIZE = 200


def erase_workspace(workspace_id: str) -> None:
    """Delete all leads of the workspace."""
    for model in (CapturedField, Reading, Lead):
        model._default_manager.filter(workspace_id=workspace_id).delete()


def erase_unchanged_since(workspace_id: str, moment: datetime) -> int:
    """Delete a batch of leads unchanged since `moment`, oldest first. Return how many."""
    old = Lead.objects.filter(workspace_id=workspace_id, created_at__lt=moment)
    ids = old.filter(updated_at__lt=moment).order_by("created_at").values_list("id", flat=True)
    return _delete(workspace_id, list(ids[:ERASURE_BATCH_SIZE]), Q(updated_at__lt=moment))


def lead_ids_from_conversations(workspace_id: str, conversation_ids: Collection[str]) -> list[str]:
    """Return the leads that were created from these conversations or cite one of them."""
    ids = list(conversation_ids)
    cited = CapturedField.objects.filter(
        workspace_id=workspace_id, message__conversation_id__in=ids
    )
    leads = Lead.objects.filter(
        Q(conversation_id__in=ids) | Q(id__in=cited.values("lead_id")), workspace_id=workspace_id
    )
    return list(leads.values_list("id", flat=True))


def erase_leads(workspace_id: str, lead_ids: Collection[str]) -> int:
    """Delete these leads with their citations. Return how many there were."""
    return _delete(workspace_id, lead_ids, Q())


def unlink_conversation(*, workspace_id: str, conversation_id: str, **_: Any) -> None:
    """Clear an erased conversation from its leads, which stay."""
    leads = Lead.objects.filter(workspace_id=workspace_id, conversation_id=conversation_id)
    leads.update(conversation=None)


def _delete(workspace_id: str, lead_ids: Collection[str], condition: Q) -> int:
    leads = Lead.objects.filter(condition, workspace_id=workspace_id, id__in=list(lead_ids))
    return leads.delete()[1].get("leads.Lead", 0)
