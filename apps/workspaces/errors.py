"""Errors of workspaces, members and invitations.

They are shown on dashboard pages only, not in the API, except LimitReached. Each message says what
to do.

    WorkspaceError
    ├── LastOwner
    ├── OwnerRequired
    ├── AlreadyMember
    ├── TooManyInvitations
    ├── NameMismatch
    ├── TooManyWorkspaces
    ├── TooManyMembers
    └── InvitationError
        ├── InvitationNotFound
        ├── InvitationExpired
        ├── InvitationRevoked
        ├── InvitationUsed
        └── InvitationEmailMismatch
"""

from typing import ClassVar

from apps.core.errors import Conflict


class LimitReached(Conflict):
    """The workspace has as many of something as it may have."""

    code = "LIMIT_REACHED"
    message = "This workspace has reached its limit."


class WorkspaceError(Exception):
    """A change that was refused. `message` may be shown to the user."""

    message: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class LastOwner(WorkspaceError):
    """The change would leave the workspace without an owner."""

    message = "A workspace needs an owner. Make another member an owner first."


class OwnerRequired(WorkspaceError):
    message = "Only owners can add, change or remove owners."


class AlreadyMember(WorkspaceError):
    message = "This person is already a member."


class TooManyInvitations(WorkspaceError):
    """From this workspace, by this person or to this address: it does not say which."""

    message = "You can't send more invitations right now."

    def __init__(self, again: str) -> None:
        super().__init__(f"Too many invitations were sent. Try again {again}.")


class NameMismatch(WorkspaceError):
    """The typed confirmation is not the name of the workspace."""

    message = "Enter the workspace name exactly as shown."


class TooManyWorkspaces(WorkspaceError):
    message = "You can't create more workspaces."

    def __init__(self, limit: int) -> None:
        super().__init__(f"You created {limit} workspaces, the most possible. Delete one first.")


class TooManyMembers(WorkspaceError):
    message = "This workspace can't have more members."

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This workspace has {limit} members and open invitations, the most possible. "
            "Remove one first."
        )


class InvitationError(WorkspaceError):
    """The invitation cannot be accepted, or not by this user."""


class InvitationNotFound(InvitationError):
    message = "This link is incomplete or invalid. Ask for a new invitation."


class InvitationExpired(InvitationError):
    message = "This invitation has expired. Ask for a new one."


class InvitationRevoked(InvitationError):
    message = "This invitation was revoked or replaced by a newer one."


class InvitationUsed(InvitationError):
    message = "This invitation was already used."


class InvitationEmailMismatch(InvitationError):
    """The invited address is not a verified address of the signed-in user."""

    message = "This invitation is for another email address. Log in with that one."
