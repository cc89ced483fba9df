from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.adjustments import csv_views, views
from apps.adjustments.models import (
    ADJUST_PERMISSION,
    APPROVE_PERMISSION,
    GOODWILL_PERMISSION,
    Adjustment,
    AdjustmentLine,
    Status,
)
from apps.core.dates import usable_to
from apps.infrastructure.admin import ReadOnlyAdmin, detail_action, list_action


class LineInline(TabularInline):  # type: ignore[misc]
    """The lines of an adjustment, read-only."""

    model = AdjustmentLine
    fields = ["workspace", "credits", "category", "reason", "reference", "usable_to", "entry"]
    readonly_fields = fields
    ordering = ["number"]
    per_page = 50
    extra = 0
    can_delete = False
    show_change_link = False

    @admin.display(description="Usable to")
    def usable_to(self, line: AdjustmentLine) -> str:
        return usable_to(line.expires_at) if line.expires_at else "—"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AdjustmentLine]:
        lines: QuerySet[AdjustmentLine] = super().get_queryset(request)
        return lines.select_related("workspace", "entry")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    """Adjustments, read-only, with the pages to create and decide them."""

    list_display = ["requested_at", "requested_by", "state", "decided_by", "file_name"]
    list_select_related = ["requested_by", "decided_by"]
    list_filter = ["status", "requested_at"]
    search_fields = ["id", "requested_by__email__iexact", "file_digest"]
    exclude = ["status"]
    readonly_fields = ["id", "state", "requested_at"]
    inlines = [LineInline]
    actions_list = ["adjust", "upload"]
    actions_detail = ["decide"]

    @display(  # type: ignore[untyped-decorator]
        description="Status",
        label={
            Status.POSTED.label: "success",
            Status.APPROVED.label: "success",
            Status.PENDING.label: "warning",
            Status.DECLINED.label: "danger",
            Status.EXPIRED.label: "info",
        },
    )
    def state(self, adjustment: Adjustment) -> str:
        return Status(adjustment.status).label

    @list_action(description="Adjust credits", permission="adjust", icon="add_card")
    def adjust(self, request: HttpRequest) -> HttpResponseBase:
        return views.adjust(request, self)

    def has_adjust_permission(self, request: HttpRequest, *_: Any) -> bool:
        has_perm = request.user.has_perm
        return has_perm(ADJUST_PERMISSION) or has_perm(GOODWILL_PERMISSION)

    @list_action(description="Adjust by CSV", permission="upload", icon="upload_file")
    def upload(self, request: HttpRequest) -> HttpResponseBase:
        return csv_views.upload(request, self)

    def has_upload_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(ADJUST_PERMISSION)

    @detail_action(description="Review", permission="decide", icon="gavel")
    def decide(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return views.decide(request, self, self.get_object_or_404(request, object_id))

    def has_decide_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(APPROVE_PERMISSION)


@admin.register(AdjustmentLine)
class AdjustmentLineAdmin(ReadOnlyAdmin):
    list_display = ["adjustment", "workspace", "credits", "category", "reason", "reference"]
    list_select_related = ["adjustment", "workspace"]
    list_filter = ["category"]
    search_fields = ["id", "adjustment_id", "workspace__slug"]
    readonly_fields = ["usable_to"]
    exclude = ["expires_at"]

    @admin.display(description="Usable to")
    def usable_to(self, line: AdjustmentLine) -> str:
        return usable_to(line.expires_at) if line.expires_at else "—"
