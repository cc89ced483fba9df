"""Changes to workspaces, their members and invitations.

Whoever asks is given twice where it matters: `by` is the member whose role is looked at, `actor`
is whose hand the audit log names. What changes who is in a workspace holds a lock on its row, so
that two changes at once are decided one after the other.
"""

from apps.workspaces.services.deletion import (
    cancel_deletion,
    close_workspace,
    mark_erased,
    schedule_deletion,
)
from apps.workspaces.services.erasures import (
    ERASE_USERS,
    claim_erasure,
    finish_erasure,
    request_erasure,
)
from apps.workspaces.services.invitations import (
    accept_invitation,
    invite,
    revoke_invitation,
)
from apps.workspaces.services.members import (
    add_member,
    change_role,
    leave_workspace,
    make_owner,
    remove_member,
    transfer_ownership,
)
from apps.workspaces.services.workspaces import (
    create_workspace,
    create_workspace_from_name,
    rename_workspace,
    set_retention,
)

__all__ = [
    "ERASE_USERS",
    "accept_invitation",
    "add_member",
    "request_erasure",
    "cancel_deletion",
    "change_role",
    "claim_erasure",
    "close_workspace",
    "create_workspace",
    "finish_erasure",
    "invite",
    "leave_workspace",
    "make_owner",
    "mark_erased",
    "create_workspace_from_name",
    "remove_member",
    "rename_workspace",
    "revoke_invitation",
    "schedule_deletion",
    "set_retention",
    "transfer_ownership",
]
