"""Changes to workspaces, their members and invitations.

`by` is the member whose role is checked; `actor` is written to the audit log. Changes of members
lock the workspace's row, so that concurrent changes run one after the other.
"""

from apps.workspaces.services.deletion import (
    cancel_deletion,
    close_workspace,
    mark_erased,
    schedule_deletion,
)
from apps.workspaces.services.erasures import (
    claim_erasure,
    finish_erasure,
    record_progress,
    release_erasure,
    request_erasure,
)
from apps.workspaces.services.invitations import accept_invitation, invite, revoke_invitation
from apps.workspaces.services.letters import SEND_LETTERS_TASK, queue_letters
from apps.workspaces.services.limits import lock_workspace, require_fewer
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
    "SEND_LETTERS_TASK",
    "accept_invitation",
    "add_member",
    "cancel_deletion",
    "change_role",
    "claim_erasure",
    "close_workspace",
    "create_workspace",
    "create_workspace_from_name",
    "finish_erasure",
    "invite",
    "leave_workspace",
    "lock_workspace",
    "make_owner",
    "mark_erased",
    "queue_letters",
    "record_progress",
    "release_erasure",
    "remove_member",
    "rename_workspace",
    "request_erasure",
    "require_fewer",
    "revoke_invitation",
    "schedule_deletion",
    "set_retention",
    "transfer_ownership",
]
