from apps.core.errors import Conflict, NotFound


class EndpointNotFound(NotFound):
    """Raised for absent rows and for those of other workspaces alike."""

    code = "WEBHOOK_ENDPOINT_NOT_FOUND"
    message = "Webhook endpoint not found or access denied"


class DeliveryNotFound(NotFound):
    """Raised for absent rows and for those of other workspaces alike."""

    code = "WEBHOOK_DELIVERY_NOT_FOUND"
    message = "Webhook delivery not found or access denied"


class EndpointDisabled(Conflict):
    code = "WEBHOOK_ENDPOINT_DISABLED"
    message = "This webhook endpoint is switched off. Switch it on first."


class TooManyEndpoints(Conflict):
    code = "TOO_MANY_WEBHOOK_ENDPOINTS"
    message = "A workspace has at most so many webhook endpoints. Delete one first."

    def __init__(self, limit: int) -> None:
        super().__init__(f"A workspace has at most {limit} webhook endpoints. Delete one first.")


class SecretNotDecryptable(Exception):
    """The stored secret was encrypted under a SECRET_KEY that is no longer configured."""
