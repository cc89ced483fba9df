"""Admin of plans and accounts, with a page to change an account's plan."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.credits.credit_requests import change_plan_as_staff
from apps.credits.models import Account, Plan, WelcomeGrant
from apps.credits.plans import (
    available_plans,
    preview_plan_changes,
    require_plan_allowed,
    save_plan,
)
from apps.infrastructure.admin import (
    CreatedSinceFilter,
    ReadOnlyAdmin,
    StaffAdmin,
    detail_action,
    redirect_to_admin,
)


class PlanChangeForm(forms.Form):
    """The new plan and the reason for the change."""

    plan = forms.ModelChoiceField(queryset=available_plans(), widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        min_length=10,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace's owner in the audit log, with your name.",
    )


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]
    """A plan, whose credits one person does not raise without limit."""

    class Meta:
        model = Plan
        fields = "__all__"  # noqa: DJ007 — staff edit every field that is editable

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "monthly_credits" in cleaned:
            self.instance.monthly_credits = cleaned["monthly_credits"]
            try:
                require_plan_allowed(self.instance)
            except ValueError as error:
                self.add_error("monthly_credits", str(error))
        return cleaned


@admin.register(Plan)
class PlanAdmin(StaffAdmin):
    form = PlanForm
    list_display = [
        "name",
        "slug",
        "monthly_credits",
        "credits_last_months",
        "max_running_turns",
        "max_sources",
        "max_knowledge_bytes",
        "max_chunks",
        "is_active",
    ]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id"]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> list[str]:
        """Keep the slug of an existing plan: new workspaces start on one by its slug."""
        return ["id"] if obj is None else ["id", "slug"]

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        save_plan(plan=obj, actor=staff_actor(signed_in_user(request), request))


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["workspace", "plan", "balance", "held", "next_grant_on", "next_plan"]
    list_select_related = ["workspace", "plan", "next_plan"]
    list_filter = ["plan"]
    search_fields = ["workspace_id", "workspace__slug"]
    readonly_fields = ["balance", "held"]
    actions_detail = ["adjust", "change_plan"]

    @detail_action(description="Adjust credits", permission="adjust", icon="add_card")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect_to_admin("adjustments_adjustment_adjust", workspace=object_id)

    def has_adjust_permission(self, request: HttpRequest, *_: Any) -> bool:
        may = request.user.has_perm
        return may("adjustments.adjust_credits") or may("adjustments.give_goodwill")

    @detail_action(description="Change plan", permission="move_to_plan", icon="swap_vert")
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        account: Account = self.get_object_or_404(request, object_id)
        form = PlanChangeForm(request.POST or None)
        if form.is_valid():
            user = signed_in_user(request)
            try:
                requested = change_plan_as_staff(
                    workspace_id=account.workspace_id,
                    actor=staff_actor(user, request),
                    now=timezone.now(),
                    user=user,
                    **form.cleaned_data,
                )
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                if requested:
                    messages.warning(request, "Not changed yet. A second person must accept this.")
                    return redirect("admin:credits_creditrequest_change", requested.pk)
                messages.success(request, f"Plan of {account.workspace} changed.")
                return redirect("admin:credits_account_change", account.pk)
        return self.render_page(
            request,
            "credits/change_plan",
            f"Change plan of {account.workspace}",
            account=account,
            plan_changes=preview_plan_changes(
                workspace_id=account.workspace_id, now=timezone.now()
            ),
            form=form,
        )

    def has_move_to_plan_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.move_account_to_plan")


@admin.register(WelcomeGrant)
class WelcomeGrantAdmin(ReadOnlyAdmin):
    """Who has had the credits of a first workspace."""

    list_display = ["user", "workspace", "created_at"]
    list_select_related = ["user", "workspace"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["user__email__iexact", "workspace__slug"]
