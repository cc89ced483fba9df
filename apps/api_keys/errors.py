from __future__ import annotations

from apps.core.errors import Forbidden, Unauthenticated


class MissingAuthHeader(Unauthenticated):
    code = "MISSING_AUTH_HEADER"
    sentence = "Send your API key in the header Authorization: Bearer sk-workspace_…"


class InvalidApiKey(Unauthenticated):
    """The key is malformed, unknown, revoked or expired: always this one answer."""

    code = "INVALID_API_KEY"
    sentence = "Invalid or inactive API key"


class ScopeMissing(Forbidden):
    code = "SCOPE_MISSING"
    sentence = "This API key may not do this: it lacks the scope that it takes."

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key may not do this: it lacks the scope “{scope}”.")
