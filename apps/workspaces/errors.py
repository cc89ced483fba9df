"""Errors of workspaces, members and invitations.

They are shown on dashboard pages only, not in the API. Each message says what to do.

    WorkspaceError
    ├── LastOwner
    ├── OwnerRequired
    ├── AlreadyMember
    ├── NameMismatch
    └── InvitationError
        ├── InvitationNotFound
        ├── InvitationExpired
        ├── InvitationRevoked
        ├── InvitationUsed
        └── InvitationEmailMismatch
"""

from typing import ClassVar


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


class NameMismatch(WorkspaceError):
    """The typed confirmation is not the name of the workspace."""

    message = "Enter the workspace name exactly as shown."


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
