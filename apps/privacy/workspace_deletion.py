"""Close and erase workspaces whose deletion is due, across all apps that store their data.

Each app that stores text written by people has an `erasure` module. A test lists what happens to
each table. The ledger, the receipts of turns and the audit log stay.
"""

from datetime import datetime

from django.db import transaction

from apps.api_keys import erasure as api_keys
from apps.chatbots import erasure as chatbots
from apps.conversations import erasure as conversations
from apps.leads import erasure as leads
from apps.webhooks import erasure as webhooks
from apps.workspaces.queries import workspaces_to_close, workspaces_to_erase
from apps.workspaces.services import close_workspace, mark_erased


def delete_due_workspaces(*, now: datetime) -> list[str]:
    """Close workspaces that are due and erase closed ones. Return the ids of the erased ones.

    Every step can be repeated, so that the next run continues an interrupted one.
    """
    for workspace_id in workspaces_to_close(now).values_list("id", flat=True):
        close_due_workspace(workspace_id=workspace_id, now=now)
    ids = list(workspaces_to_erase().values_list("id", flat=True))
    return [
        workspace_id for workspace_id in ids if erase_closed_workspace(workspace_id=workspace_id)
    ]


@transaction.atomic
def close_due_workspace(*, workspace_id: str, now: datetime) -> None:
    """Close a workspace that is due: revoke the access of its members and API keys."""
    if close_workspace(workspace_id=workspace_id, now=now):
        api_keys.revoke_all(workspace_id)


def erase_closed_workspace(*, workspace_id: str) -> bool:
    """Erase the data of a closed workspace. Return False while a turn runs in it."""
    if not conversations.erase_workspace(workspace_id):
        return False
    leads.erase_workspace(workspace_id)
    chatbots.erase_workspace(workspace_id)
    api_keys.erase_workspace(workspace_id)
    webhooks.erase_workspace(workspace_id)
    mark_erased(workspace_id=workspace_id)
    return True
