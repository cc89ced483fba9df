"""The API keys of this app as the backend of `apps.api_kit.authentication`."""

from django.http import HttpRequest
from django.utils import timezone

from apps.api_keys import idempotency
from apps.api_keys.attempts import limit_attempts
from apps.api_keys.queries import authenticate_key, parse_bearer_token
from apps.api_keys.services import update_last_used
from apps.api_kit.callers import Caller
from apps.infrastructure.web.client_address import request_client


class DatabaseApiKeys:
    """Implements `ApiKeyBackend` with the rows of ApiKey and IdempotentAnswer."""

    def authenticate(self, request: HttpRequest) -> Caller:
        """The caller of a request.

        Raises MissingAuthHeader or InvalidApiKey, and TooManyRequests after too many of these.
        """
        with limit_attempts(request_client(request), request.headers.get("Authorization")):
            caller = authenticate_key(_secret(request))
        if caller.is_last_used_outdated(timezone.now()):
            update_last_used(api_key_id=caller.api_key_id)
        return caller

    def claim_idempotency_key(
        self, request: HttpRequest, *, caller: Caller, key: str
    ) -> idempotency.Claim:
        """Claim the key in the running transaction. See `idempotency.claim_key`."""
        return idempotency.claim_key(
            caller=caller, secret=_secret(request), key=key, request=request
        )


def _secret(request: HttpRequest) -> str:
    return parse_bearer_token(request.headers.get("Authorization"))
