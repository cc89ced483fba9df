"""Why a workspace, its members or an invitation stay as they are.

People meet these on pages, never on the wire: each is a sentence that says what to do.

    Refusal
    ├── LastOwner
    ├── OwnersOnly
    ├── AlreadyMember
    ├── WrongName
    └── InvitationRefused
        ├── InvitationUnknown
        ├── InvitationExpired
        ├── InvitationRevoked
        ├── InvitationUsed
        └── InvitationForAnother
"""

from __future__ import annotations

from typing import ClassVar


class WorkspaceError(Exception):
    """Something that was asked for and not done. `message` may be shown to the person."""

    message: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class LastOwner(WorkspaceError):
    """A workspace always has an owner."""

    message = "A workspace needs an owner. Make another member an owner first."


class OwnerRequired(WorkspaceError):
    message = "Only owners can add, change or remove owners."


class AlreadyMember(WorkspaceError):
    message = "This person is already a member."


class NameMismatch(WorkspaceError):
    """What was typed is not the name of the workspace."""

    message = "Enter the workspace name exactly as shown."


class InvitationError(WorkspaceError):
    """An invitation that opens nothing, or not to this person."""


class InvitationNotFound(InvitationError):
    message = "This link is incomplete or invalid. Ask for a new invitation."


class InvitationExpired(InvitationError):
    message = "This invitation has expired. Ask for a new one."


class InvitationRevoked(InvitationError):
    message = "This invitation was revoked or replaced by a newer one."


class InvitationUsed(InvitationError):
    message = "This invitation was already used."


class InvitationEmailMismatch(InvitationError):
    """The person who is signed in has not shown that the invited address is theirs."""

    message = "This invitation is for another email address. Log in with that one."
