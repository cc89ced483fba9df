"""Admin of ledger entries, lots and nightly checks, read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.dates import usable_to
from apps.credits.models import (
    AccountCheck,
    EntryApproval,
    EntryKind,
    LedgerEntry,
    Lot,
    NightlyCheck,
)
from apps.infrastructure.admin import (
    CreatedSinceFilter,
    ReadOnlyAdmin,
    detail_action,
    redirect_to_admin,
)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "workspace", "kind", "amount", "balance_after", "reason"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "category", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "turn_id", "workspace__slug", "reference"]
    search_help_text = "Entry or turn ID, workspace slug or reference"
    search_conditions = {"turn_id": {"kind": EntryKind.CHARGE}}
    workspace_ordering = ("-created_at", "-pk")
    readonly_fields = ["id", "sequence", "hash", "created_at", "usable_to"]
    exclude = ["expires_at"]
    actions_detail = ["reverse"]

    @detail_action(description="Reverse this entry", permission="reverse", icon="undo")
    def reverse(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect_to_admin("adjustments_adjustment_adjust", reverses=object_id)

    @admin.display(description="Usable to")
    def usable_to(self, entry: LedgerEntry) -> str:
        return usable_to(entry.expires_at) if entry.expires_at else "—"

    def has_reverse_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("adjustments.adjust_credits")


@admin.register(EntryApproval)
class EntryApprovalAdmin(ReadOnlyAdmin):
    """The second people for ledger entries."""

    list_display = ["entry_id", "workspace", "approved_by", "created_at"]
    list_select_related = ["workspace", "approved_by"]
    list_filter = ["created_at"]
    search_fields = ["entry_id", "approved_by__email__iexact"]


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    list_display = ["workspace", "given", "remaining", "usable_to", "period"]
    list_select_related = ["workspace"]
    list_filter = ["expires_at"]
    search_fields = ["workspace__slug", "entry_id"]
    readonly_fields = ["usable_to"]
    exclude = ["expires_at"]

    @admin.display(description="Usable to", ordering="expires_at")
    def usable_to(self, lot: Lot) -> str:
        return usable_to(lot.expires_at) if lot.expires_at else "—"


@admin.register(NightlyCheck)
class NightlyCheckAdmin(ReadOnlyAdmin):
    list_display = ["day", "accounts", "faults", "started_at", "finished_at"]
    list_filter = ["day"]
    search_fields = ["=id", "=digest"]


@admin.register(AccountCheck)
class AccountCheckAdmin(ReadOnlyAdmin):
    list_display = ["night", "workspace", "fault", "balance", "held", "entries"]
    list_select_related = ["workspace", "night"]
    list_filter = ["night", ("fault", admin.EmptyFieldListFilter)]
    search_fields = ["workspace__slug", "=fault_row_id", "=last_hash"]
    ordering = ["-id"]
