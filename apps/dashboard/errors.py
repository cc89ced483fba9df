"""What the dashboard adds to the tree of `apps.core.errors`."""

from __future__ import annotations

from apps.core.errors import Conflict, NotFound, Unauthenticated


class NotSignedIn(Unauthenticated):
    code = "NOT_SIGNED_IN"
    message = "Sign in to follow this workspace."


class WorkspaceNotFound(NotFound):
    """Absent, or one that the person is no member of: the same."""

    code = "WORKSPACE_NOT_FOUND"
    message = "Workspace not found or access denied"


class TooManyConversations(Conflict):
    code = "TOO_MANY_CONVERSATIONS"
    message = "Too many conversations are watched on this socket. Unwatch one first."
