from __future__ import annotations

from django.contrib import admin

from apps.core.admin import HistoryAdmin, StaffAdmin
from apps.credits.models import Account, LedgerEntry, Lot, Plan


@admin.register(Plan)
class PlanAdmin(StaffAdmin):
    list_display = ["name", "slug", "monthly_credits", "credits_last_months", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id"]


@admin.register(Account)
class AccountAdmin(HistoryAdmin):
    list_display = ["workspace", "plan", "balance", "held", "next_grant_on", "next_plan"]
    list_select_related = ["workspace", "plan", "next_plan"]
    list_filter = ["plan"]
    search_fields = ["workspace__slug", "workspace__name", "=workspace__id"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(HistoryAdmin):
    list_display = ["created_at", "workspace", "kind", "amount", "balance_after", "reason"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "category", "created_at"]
    search_fields = ["workspace__slug", "=turn_id", "=id", "=reference", "reason"]


@admin.register(Lot)
class LotAdmin(HistoryAdmin):
    list_display = ["workspace", "given", "remaining", "expires_at", "period"]
    list_select_related = ["workspace"]
    list_filter = ["expires_at", "period"]
    search_fields = ["workspace__slug", "=entry__id"]
