from __future__ import annotations

from apps.webhooks.models import Event, EventType
from apps.webhooks.services import emit
from tests.factories import Team


def test_emit_writes_an_event_of_the_workspace(team: Team) -> None:
    emit(workspace_id=team.workspace.id, event=EventType.LEAD_CREATED, data={"leadId": "c1"})
    event = Event.objects.get(workspace=team.workspace)
    assert (event.type, event.data) == ("lead.created", {"leadId": "c1"})
