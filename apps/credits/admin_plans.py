"""The admin's pages about a workspace's plan, and about what it asked for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.credits.credit_requests import accept_request, decline_request
from apps.credits.models import Account, CreditRequest, Plan, RequestState
from apps.credits.plans import change_plan, preview_plan_changes
from apps.infrastructure.admin import ReadOnlyAdmin, detail_action


class PlanChangeForm(forms.Form):
    """Which plan, and why."""

    plan = forms.ModelChoiceField(
        queryset=Plan.objects.filter(is_active=True), widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        min_length=10,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace's owner in the audit log, with your name.",
    )


class DecisionForm(forms.Form):
    """What the workspace is answered."""

    answer = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace and sent by email. Required when declining.",
    )


class PlanChangeAdmin(ReadOnlyAdmin):
    """An account's page on which it is given another plan."""

    @detail_action(description="Change plan", permission="move_to_plan", icon="swap_vert")
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        account: Account | None = self.get_object(request, object_id)
        if account is None:
            raise Http404
        form = PlanChangeForm(request.POST or None)
        if form.is_valid():
            by = signed_in_user(request)
            try:
                change_plan(
                    workspace_id=account.workspace_id,
                    actor=staff_actor(by, request),
                    now=timezone.now(),
                    user=by,
                    **form.cleaned_data,
                )
            except ValueError as refused:
                form.add_error(None, str(refused))
            else:
                messages.success(request, f"Plan of {account.workspace} changed.")
                return HttpResponseRedirect(
                    reverse("admin:credits_account_change", args=[account.pk])
                )
        context = {
            **self.admin_site.each_context(request),
            "title": f"Change plan of {account.workspace}",
            "opts": self.opts,
            "account": account,
            "effects": preview_plan_changes(workspace_id=account.workspace_id, now=timezone.now()),
            "form": form,
        }
        return TemplateResponse(request, "admin/credits/change_plan.html", context)

    def has_move_to_plan_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.move_account_to_plan")


class CreditRequestAdmin(ReadOnlyAdmin):
    """What workspaces ask for: open ones wait for a decision."""

    actions_detail = ["decide"]
    list_display = ["created_at", "workspace", "kind", "plan", "credits", "state", "decided_by"]
    list_select_related = ["workspace", "plan", "decided_by"]
    list_filter = ["state", "kind", "created_at"]
    search_fields = ["workspace__slug", "=id"]
    ordering = ["-created_at", "-id"]

    @detail_action(description="Review", permission="decide", icon="gavel")
    def decide(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        asked: CreditRequest | None = self.get_object(request, object_id)
        if asked is None:
            raise Http404
        form = DecisionForm(request.POST or None)
        if form.is_valid():
            try:
                ended = _apply_decision(request, asked, form.cleaned_data["answer"])
            except ValueError as refused:
                form.add_error(None, str(refused))
            else:
                messages.success(request, f"Request {ended.state}.")
                return HttpResponseRedirect(
                    reverse("admin:credits_creditrequest_change", args=[asked.pk])
                )
        context = {
            **self.admin_site.each_context(request),
            "title": "Review request",
            "opts": self.opts,
            "asked": asked,
            "account": Account.objects.select_related("plan").filter(pk=asked.workspace_id).first(),
            "is_open": asked.state == RequestState.OPEN,
            "form": form,
        }
        return TemplateResponse(request, "admin/credits/decide.html", context)

    def has_decide_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.decide_creditrequest")


class AlertAdmin(ReadOnlyAdmin):
    """Balances that fell, and whether their people were mailed."""

    list_display = ["created_at", "workspace", "kind", "balance", "threshold", "mailed_at"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "created_at"]
    search_fields = ["workspace__slug"]
    ordering = ["-created_at", "-id"]


def _apply_decision(request: HttpRequest, asked: CreditRequest, answer: str) -> CreditRequest:
    by = signed_in_user(request)
    actor = staff_actor(by, request)
    which = {"workspace_id": asked.workspace_id, "request_id": asked.id}
    if request.POST.get("verdict") == "accept":
        return accept_request(**which, answer=answer, user=by, actor=actor, now=timezone.now())
    return decline_request(**which, answer=answer, user=by, actor=actor)
