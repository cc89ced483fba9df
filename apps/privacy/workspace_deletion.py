"""Close and erase workspaces whose deletion is due, across all apps that store their data.

Each app that stores text written by people has an `erasure` module. A test lists what happens to
each table. The ledger, the receipts of turns and the audit log stay.
"""

from datetime import datetime

from django.db import transaction

from apps.api_keys import erasure as api_keys
from apps.chatbots import erasure as chatbots
from apps.conversations import erasure as conversations
from apps.infrastructure.isolation import sum_each
from apps.knowledge import erasure as knowledge
from apps.leads import erasure as leads
from apps.webhooks import erasure as webhooks
from apps.workspaces.queries import workspaces_to_close, workspaces_to_erase
from apps.workspaces.services import close_workspace, mark_erased


def delete_due_workspaces(*, now: datetime) -> list[str]:
    """Close workspaces that are due and erase closed ones. Return the ids of the erased ones.

    Every step can be repeated, so that the next run continues an interrupted one. A failure is
    logged and does not stop the other workspaces.
    """
    sum_each(
        list(workspaces_to_close(now).values_list("id", flat=True)),
        lambda workspace_id: close_due_workspace(workspace_id=workspace_id, now=now),
        event="workspace_not_closed",
    )
    erased: list[str] = []

    def erase(workspace_id: str) -> bool:
        is_erased = erase_closed_workspace(workspace_id=workspace_id)
        erased.extend([workspace_id] * is_erased)
        return is_erased

    # In a random order: one that takes longer than a task may must not stop the same ones always.
    to_erase = list(workspaces_to_erase().order_by("?").values_list("id", flat=True))
    sum_each(to_erase, erase, event="workspace_not_erased")
    return erased


@transaction.atomic
def close_due_workspace(*, workspace_id: str, now: datetime) -> bool:
    """Close a workspace that is due: revoke the access of its members and API keys.

    Returns False if it is not due or closed already.
    """
    if not close_workspace(workspace_id=workspace_id, now=now):
        return False
    api_keys.revoke_all(workspace_id)
    return True


def erase_closed_workspace(*, workspace_id: str) -> bool:
    """Erase the data of a closed workspace. Return False while a turn runs in it."""
    if not conversations.erase_workspace(workspace_id):
        return False
    leads.erase_workspace(workspace_id)
    knowledge.erase_workspace(workspace_id)
    chatbots.erase_workspace(workspace_id)
    api_keys.erase_workspace(workspace_id)
    webhooks.erase_workspace(workspace_id)
    mark_erased(workspace_id=workspace_id)
    return True
