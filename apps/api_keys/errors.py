from __future__ import annotations

from apps.core.errors import Conflict, Forbidden, NotFound, Unauthenticated


class MissingAuthHeader(Unauthenticated):
    code = "MISSING_AUTH_HEADER"
    message = "Send your API key in the header Authorization: Bearer sk-workspace_…"


class InvalidApiKey(Unauthenticated):
    """The key is malformed, unknown, revoked or expired: always this one answer."""

    code = "INVALID_API_KEY"
    message = "Invalid or inactive API key"


class ScopeMissing(Forbidden):
    code = "SCOPE_MISSING"
    message = "This API key may not do this: it lacks the scope that it takes."

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key may not do this: it lacks the scope “{scope}”.")


class ApiKeyNotFound(NotFound):
    """Absent, or another workspace's: the same answer."""

    code = "API_KEY_NOT_FOUND"
    message = "API key not found or access denied"


class ApiKeyEnded(Conflict):
    """Revoked or expired: there is nothing left to rotate."""

    code = "API_KEY_ENDED"
    message = "This API key has been revoked or has expired. Create a new one."
