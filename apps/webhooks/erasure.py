"""What webhooks forget: all of a workspace that is deleted, or what they told of some things."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from apps.webhooks.models import Delivery, Endpoint, Event


def erase_workspace(workspace_id: str) -> None:
    """Remove addresses, what was told and what was answered: all hold what people wrote."""
    for model in (Delivery, Endpoint, Event):
        model._default_manager.filter(workspace_id=workspace_id).delete()


def erase_events(
    workspace_id: str, *, conversation_ids: Collection[str], lead_ids: Collection[str]
) -> None:
    """Remove the events of these conversations and leads, with what receivers answered.

    Reads the workspace's events: those of the days that they are kept.
    """
    about = Q(data__conversationId__in=list(conversation_ids)) | Q(data__id__in=list(lead_ids))
    events = Event.objects.filter(workspace_id=workspace_id).filter(about)
    ids = list(events.values_list("id", flat=True))
    Delivery.objects.filter(workspace_id=workspace_id, event_id__in=ids).delete()
    Event.objects.filter(workspace_id=workspace_id, id__in=ids).delete()
