"""Errors of the dashboard's WebSocket and pages. See `apps.core.errors` for the tree."""

from apps.core.errors import Conflict, NotFound, Unauthenticated


class NotSignedIn(Unauthenticated):
    code = "NOT_SIGNED_IN"
    message = "Sign in to follow this workspace."


class WorkspaceNotFound(NotFound):
    """The workspace does not exist, or the user is not a member of it."""

    code = "WORKSPACE_NOT_FOUND"
    message = "Workspace not found or access denied"


class TooManyConversations(Conflict):
    code = "TOO_MANY_CONVERSATIONS"
    message = "Too many conversations are watched on this socket. Unwatch one first."
