from apps.workspaces.models.erasures import Erasure
from apps.workspaces.models.invitations import INVITABLE_ROLES, Invitation
from apps.workspaces.models.letters import Letter, LetterKind, LetterStatus
from apps.workspaces.models.members import Member, Role
from apps.workspaces.models.workspaces import MAX_RETENTION_DAYS, Workspace, validate_slug

__all__ = [
    "INVITABLE_ROLES",
    "MAX_RETENTION_DAYS",
    "Erasure",
    "Invitation",
    "Letter",
    "LetterKind",
    "LetterStatus",
    "Member",
    "Role",
    "Workspace",
    "validate_slug",
]
