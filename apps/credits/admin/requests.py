"""Admin of balance alerts and credit requests, with a page to decide a request."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.credits.credit_requests import accept_request, decline_request
from apps.credits.models import Account, Alert, CreditRequest, RequestState
from apps.infrastructure.admin import ReadOnlyAdmin, detail_action


class DecisionForm(forms.Form):
    """The answer to the workspace."""

    answer = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace and sent by email. Required when declining.",
    )


@admin.register(CreditRequest)
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
        credit_request: CreditRequest = self.get_object_or_404(request, object_id)
        form = DecisionForm(request.POST or None)
        if form.is_valid():
            try:
                decided = _apply_decision(request, credit_request, form.cleaned_data["answer"])
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                if decided.state == RequestState.OPEN:
                    messages.warning(request, "Not accepted yet. A second person must accept it.")
                else:
                    messages.success(request, f"Request {decided.state}.")
                return redirect("admin:credits_creditrequest_change", credit_request.pk)
        accounts = Account.objects.select_related("plan")
        return self.render_page(
            request,
            "credits/decide",
            "Review request",
            credit_request=credit_request,
            account=accounts.filter(pk=credit_request.workspace_id).first(),
            is_open=credit_request.state == RequestState.OPEN,
            form=form,
        )

    def has_decide_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("credits.decide_creditrequest")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Balance alerts, read-only."""

    list_display = ["created_at", "workspace", "kind", "balance", "threshold", "mailed_at"]
    list_select_related = ["workspace"]
    list_filter = ["kind", "created_at"]
    search_fields = ["workspace__slug"]
    ordering = ["-created_at", "-id"]


def _apply_decision(
    request: HttpRequest, credit_request: CreditRequest, answer: str
) -> CreditRequest:
    user = signed_in_user(request)
    actor = staff_actor(user, request)
    ids = {"workspace_id": credit_request.workspace_id, "request_id": credit_request.id}
    if request.POST.get("verdict") == "accept":
        return accept_request(**ids, answer=answer, user=user, actor=actor, now=timezone.now())
    return decline_request(**ids, answer=answer, user=user, actor=actor)
