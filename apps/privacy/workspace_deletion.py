"""Carrying out the deletion of workspaces, over all apps that keep something of theirs.

Each app that holds what people wrote has an `erasure` module; a test knows of every table what
becomes of it. The ledger, the turns' receipts and the audit log stay: they are the books.
"""

from __future__ import annotations

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
    """Close the workspaces that are due and erase those that are closed; the ids of the erased.

    Each step can be repeated: a run that is cut off is gone on with by the next.
    """
    for workspace_id in workspaces_to_close(now).values_list("id", flat=True):
        close_due_workspace(workspace_id=workspace_id, now=now)
    ids = list(workspaces_to_erase().values_list("id", flat=True))
    return [
        workspace_id for workspace_id in ids if erase_closed_workspace(workspace_id=workspace_id)
    ]


@transaction.atomic
def close_due_workspace(*, workspace_id: str, now: datetime) -> None:
    """Let nobody and no key into a workspace that is due."""
    if close_workspace(workspace_id=workspace_id, now=now):
        api_keys.revoke_all(workspace_id)


def erase_closed_workspace(*, workspace_id: str) -> bool:
    """Remove what people wrote in a closed workspace; False while a turn still runs in it."""
    if not conversations.erase_workspace(workspace_id):
        return False
    leads.erase(workspace_id)
    chatbots.erase(workspace_id)
    api_keys.erase_workspace(workspace_id)
    webhooks.erase_workspace(workspace_id)
    mark_erased(workspace_id=workspace_id)
    return True
