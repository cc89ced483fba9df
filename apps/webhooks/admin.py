from django.contrib import admin

from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin
from apps.webhooks.models import Delivery, Endpoint, Event


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    """Shows no secret, and no path, which may contain a token of the customer."""

    list_display = ["origin", "workspace", "created_at", "failing_since", "disabled_at"]
    list_select_related = ["workspace"]
    list_filter = ["disabled_reason", "created_at"]
    search_fields = ["id", "workspace__slug"]
    exclude = ["url", "sealed_secret", "sealed_previous_secret"]
    readonly_fields = ["origin", "created_at", "disabled_at", "disabled_reason", "failing_since"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "workspace", "type"]
    list_select_related = ["workspace"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug"]
    exclude = ["data"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Shows staff no response body: it may repeat the event's data."""

    list_display = ["created_at", "workspace", "endpoint", "status", "attempts", "response_status"]
    list_select_related = ["workspace", "endpoint"]
    list_filter = ["status", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "event_id", "endpoint_id", "endpoint__workspace__slug"]
    exclude = ["response_body", "request_headers"]
