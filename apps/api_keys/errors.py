from apps.core.errors import Conflict, NotFound, Unauthenticated


class MissingAuthHeader(Unauthenticated):
    code = "MISSING_AUTH_HEADER"
    message = "Send your API key in the header Authorization: Bearer sk-workspace_…"


class InvalidApiKey(Unauthenticated):
    """Raised alike for a malformed, unknown, revoked or expired key."""

    code = "INVALID_API_KEY"
    message = "Invalid or inactive API key"


class ApiKeyNotFound(NotFound):
    """Raised for absent keys and for those of other workspaces alike."""

    code = "API_KEY_NOT_FOUND"
    message = "API key not found or access denied"


class ApiKeyEnded(Conflict):
    """Raised when a revoked or expired key is to be rotated."""

    code = "API_KEY_ENDED"
    message = "This API key has been revoked or has expired. Create a new one."
