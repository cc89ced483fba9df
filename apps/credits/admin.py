from __future__ import annotations

from django.contrib import admin

from apps.core.admin import HistoryAdmin, StaffAdmin
from apps.credits.models import Account, LedgerEntry, Plan


@admin.register(Plan)
class PlanAdmin(StaffAdmin):
    list_display = ["name", "slug", "monthly_credits", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id"]


@admin.register(Account)
class AccountAdmin(HistoryAdmin):
    list_display = ["workspace", "plan", "balance", "held"]
    list_select_related = ["workspace", "plan"]
    list_filter = ["plan"]
    search_fields = ["workspace__slug", "workspace__name", "=workspace__id"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(HistoryAdmin):
    list_display = ["created_at", "workspace", "kind", "amount", "balance_after", "reason"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "category", "created_at"]
    search_fields = ["workspace__slug", "=turn_id", "=id", "=reference", "reason"]
