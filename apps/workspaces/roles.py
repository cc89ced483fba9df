"""The permissions of each workspace role. docs/reference/roles.md documents this table."""

from collections.abc import Mapping
from enum import StrEnum

from apps.workspaces.models import Role


class Permission(StrEnum):
    """A permission that a page or an action requires of the member."""

    VIEW = "see every page but the audit log"
    CHAT = "chat in the playground, which costs credits"
    EDIT_CONVERSATIONS = "rename, rate and annotate conversations"
    DELETE_CONVERSATIONS = "delete conversations"
    EDIT_LEADS = "edit leads"
    EXPORT = "export conversations, leads and the ledger"
    EDIT_CHATBOTS = "create and change chatbots"
    DELETE_CHATBOTS = "delete chatbots"
    EDIT_KNOWLEDGE = "create and change knowledge bases and their sources"
    DELETE_KNOWLEDGE = "delete knowledge bases"
    MANAGE_KEYS = "create, rotate and revoke API keys"
    MANAGE_WEBHOOKS = "manage webhook endpoints"
    REQUEST_CREDITS = "ask for credits or another plan, set the low-balance alert"
    MANAGE_MEMBERS = "invite, change and remove members"
    VIEW_AUDIT_LOG = "see the audit log"
    EDIT_SETTINGS = "change the workspace's settings"
    OWN = "make owners, transfer and delete the workspace"


_VIEWER = {Permission.VIEW}
_MEMBER = _VIEWER | {
    Permission.CHAT,
    Permission.EDIT_CONVERSATIONS,
    Permission.EDIT_LEADS,
    Permission.EXPORT,
    Permission.EDIT_CHATBOTS,
    Permission.EDIT_KNOWLEDGE,
}
_ADMIN = set(Permission) - {Permission.OWN}

ROLE_PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(_ADMIN),
    Role.MEMBER: frozenset(_MEMBER),
    Role.VIEWER: frozenset(_VIEWER),
}


def is_allowed(role: str, permission: Permission) -> bool:
    """Return whether members with this role have the permission."""
    return permission in ROLE_PERMISSIONS[role]
