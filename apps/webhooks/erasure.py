"""Erase webhook data of a deleted workspace, of conversations and of leads."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from apps.core.ids import min_id_at
from apps.webhooks.models import Delivery, Endpoint, Event


def erase_workspace(workspace_id: str) -> None:
    """Delete the workspace's deliveries, endpoints and events: all contain what people wrote."""
    for model in (Delivery, Endpoint, Event):
        model._default_manager.filter(workspace_id=workspace_id).delete()


def erase_events(
    workspace_id: str, *, conversation_ids: Collection[str], lead_ids: Collection[str]
) -> None:
    """Delete the events of these conversations and leads, with their deliveries.

    Reads all of the workspace's events, which are kept for WEBHOOK_KEPT_DAYS.
    """
    about = Q(data__conversationId__in=list(conversation_ids)) | Q(data__id__in=list(lead_ids))
    events = Event.objects.filter(workspace_id=workspace_id).filter(about)
    ids = list(events.values_list("id", flat=True))
    Delivery.objects.filter(workspace_id=workspace_id, event_id__in=ids).delete()
    Event.objects.filter(workspace_id=workspace_id, id__in=ids).delete()


_ERASE_RESPONSES = """
WITH erased AS (
  UPDATE webhooks_event SET data = jsonb_set(data - 'sources', '{response}', '""')
  WHERE workspace_id = %(workspace)s AND id >= %(first)s AND type = 'message.completed'
    AND data ->> 'conversationId' = %(conversation)s
  RETURNING id
)
UPDATE webhooks_delivery SET response_body = '' FROM erased
WHERE webhooks_delivery.event_id = erased.id
"""
_MAX_CLOCK_SKEW = timedelta(hours=1)


def erase_responses(*, workspace_id: str, conversation_id: str, since: datetime) -> None:
    """Clear the model's responses, with their sources, in the events of a conversation that began
    at `since`.

    The receivers' response bodies to these events are cleared too. Pending deliveries are sent
    without the text. Reads the workspace's events from then on.
    """
    values = {
        "workspace": workspace_id,
        "conversation": conversation_id,
        "first": min_id_at(since - _MAX_CLOCK_SKEW),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ERASE_RESPONSES, values)
