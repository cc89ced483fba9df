from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.models import User
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.api_keys.services import revoke_key
from apps.audit.services import staff_actor
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Staff can see keys and revoke them, not create them."""

    list_display = ["name", "workspace", "shown", "scopes", "last_used_at", "revoked_at"]
    list_select_related = ["workspace"]
    list_filter = ["revoked_at", "created_at"]
    search_fields = ["id", "workspace__slug", "last4", "name"]
    exclude = ["digest"]
    readonly_fields = ["id", "shown", "revoked_at", "last_used_at", "created_at"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        actor = staff_actor(cast(User, request.user), request)
        for key in keys:
            revoke_key(key=key, actor=actor)
        self.message_user(
            request, f"Revoked {len(keys)} API keys. Requests with them are now rejected."
        )

    def has_revoke_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("api_keys.revoke_apikey")


@admin.register(IdempotentAnswer)
class IdempotentAnswerAdmin(ReadOnlyAdmin):
    """Requests that came with an idempotency key. The stored response is encrypted."""

    list_display = ["created_at", "workspace", "api_key", "idempotency_key", "status"]
    list_select_related = ["workspace", "api_key"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["workspace__slug"]
    exclude = ["sealed_body", "request_digest"]
