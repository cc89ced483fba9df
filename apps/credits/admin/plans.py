"""Admin pages to change a workspace's plan and to decide its requests."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.credits.credit_requests import accept_request, decline_request
from apps.credits.models import Account, CreditRequest, RequestState
from apps.credits.plans import available_plans, change_plan, preview_plan_changes
from apps.infrastructure.admin import ReadOnlyAdmin, detail_action


class PlanChangeForm(forms.Form):
    """The new plan and the reason for the change."""

    plan = forms.ModelChoiceField(queryset=available_plans(), widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        min_length=10,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace's owner in the audit log, with your name.",
    )


class DecisionForm(forms.Form):
    """The answer to the workspace."""

    answer = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace and sent by email. Required when declining.",
    )


class PlanChangeAdmin(ReadOnlyAdmin):
    """An admin of accounts with a page to change the plan."""

    @detail_action(description="Change plan", permission="move_to_plan", icon="swap_vert")
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        account: Account | None = self.get_object(request, object_id)
        if account is None:
            raise Http404
        form = PlanChangeForm(request.POST or None)
        if form.is_valid():
            user = signed_in_user(request)
            try:
                change_plan(
                    workspace_id=account.workspace_id,
                    actor=staff_actor(user, request),
                    now=timezone.now(),
                    user=user,
                    **form.cleaned_data,
                )
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"Plan of {account.workspace} changed.")
                return redirect("admin:credits_account_change", account.pk)
        return _render(
            self,
            request,
            "change_plan",
            f"Change plan of {account.workspace}",
            account=account,
            plan_changes=preview_plan_changes(
                workspace_id=account.workspace_id, now=timezone.now()
            ),
            form=form,
        )

    def has_move_to_plan_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.move_account_to_plan")


class CreditRequestAdmin(ReadOnlyAdmin):
    """Requests of workspaces, with a page to decide open ones."""

    actions_detail = ["decide"]
    list_display = ["created_at", "workspace", "kind", "plan", "credits", "state", "decided_by"]
    list_select_related = ["workspace", "plan", "decided_by"]
    list_filter = ["state", "kind", "created_at"]
    search_fields = ["workspace__slug", "=id"]
    ordering = ["-created_at", "-id"]

    @detail_action(description="Review", permission="decide", icon="gavel")
    def decide(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        credit_request: CreditRequest | None = self.get_object(request, object_id)
        if credit_request is None:
            raise Http404
        form = DecisionForm(request.POST or None)
        if form.is_valid():
            try:
                decided = _apply_decision(request, credit_request, form.cleaned_data["answer"])
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"Request {decided.state}.")
                return redirect("admin:credits_creditrequest_change", credit_request.pk)
        accounts = Account.objects.select_related("plan")
        return _render(
            self,
            request,
            "decide",
            "Review request",
            credit_request=credit_request,
            account=accounts.filter(pk=credit_request.workspace_id).first(),
            is_open=credit_request.state == RequestState.OPEN,
            form=form,
        )

    def has_decide_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.decide_creditrequest")


class AlertAdmin(ReadOnlyAdmin):
    """Balance alerts, read-only."""

    list_display = ["created_at", "workspace", "kind", "balance", "threshold", "mailed_at"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "created_at"]
    search_fields = ["workspace__slug"]
    ordering = ["-created_at", "-id"]


def _render(
    admin: ReadOnlyAdmin, request: HttpRequest, name: str, title: str, **context: Any
) -> TemplateResponse:
    context |= {**admin.admin_site.each_context(request), "title": title, "opts": admin.opts}
    return TemplateResponse(request, f"admin/credits/{name}.html", context)


def _apply_decision(
    request: HttpRequest, credit_request: CreditRequest, answer: str
) -> CreditRequest:
    user = signed_in_user(request)
    actor = staff_actor(user, request)
    ids = {"workspace_id": credit_request.workspace_id, "request_id": credit_request.id}
    if request.POST.get("verdict") == "accept":
        return accept_request(**ids, answer=answer, user=user, actor=actor, now=timezone.now())
    return decline_request(**ids, answer=answer, user=user, actor=actor)
