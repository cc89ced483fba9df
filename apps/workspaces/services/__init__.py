"""Changes to workspaces, their members and invitations.

Whoever asks is given twice where it matters: `by` is the member whose role is looked at, `actor`
is whose hand the audit log names. What changes who is in a workspace holds a lock on its row, so
that two changes at once are decided one after the other.
"""

from apps.workspaces.services.deletion import (
    cancel_deletion,
    close_workspace,
    note_erasure,
    schedule_deletion,
)
from apps.workspaces.services.erasures import (
    ERASE_USERS,
    ask_erasure,
    claim_erasure,
    finish_erasure,
)
from apps.workspaces.services.invitations import (
    accept_invitation,
    invite,
    revoke_invitation,
)
from apps.workspaces.services.members import (
    add_member,
    change_role,
    leave,
    make_owner,
    remove_member,
    transfer_ownership,
)
from apps.workspaces.services.workspaces import (
    create_workspace,
    open_workspace,
    rename_workspace,
    set_retention,
)

__all__ = [
    "ERASE_USERS",
    "accept_invitation",
    "add_member",
    "ask_erasure",
    "cancel_deletion",
    "change_role",
    "claim_erasure",
    "close_workspace",
    "create_workspace",
    "finish_erasure",
    "invite",
    "leave",
    "make_owner",
    "note_erasure",
    "open_workspace",
    "remove_member",
    "rename_workspace",
    "revoke_invitation",
    "schedule_deletion",
    "set_retention",
    "transfer_ownership",
]
