from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.audit.services import user_actor
from apps.credits import alerts, credit_requests
from apps.credits.errors import RequestAlreadyOpen, RequestNotOpen
from apps.credits.models import Account, CreditRequest
from apps.credits.queries import credit_requests_for, ledger_entries_for, upcoming_expiries
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.credits import (
    AlertForm,
    PlanRequestForm,
    PurchaseRequestForm,
    StatementFilterForm,
)
from apps.dashboard.list_pages import FilteredList
from apps.knowledge.usage import knowledge_limits
from apps.reporting.credit_usage import (
    conversation_ids_by_turn,
    embedded_by_reference,
    usage_breakdown,
)
from apps.reporting.months import Month
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

MAX_EXPIRIES = 3
MAX_REQUESTS = 10
PERIODS = {"7d": timedelta(days=7), "30d": timedelta(days=30)}

STATEMENT = FilteredList(
    form_class=StatementFilterForm,
    query=ledger_entries_for,
    csv_name="credits",
    csv_columns={
        "id": lambda entry: entry.id,
        "time": lambda entry: entry.created_at.isoformat(timespec="milliseconds"),
        "kind": lambda entry: entry.kind,
        "credits": lambda entry: entry.amount,
        "balance after": lambda entry: entry.balance_after,
        "turn": lambda entry: entry.turn_id,
        "reason": lambda entry: entry.reason,
    },
)


@workspace_page(Permission.VIEW)
def credits(request: HttpRequest, member: Member) -> HttpResponse:
    """Balance, usage, requests to staff and the ledger entries."""
    return _render(request, member)


@workspace_action(Permission.REQUEST_CREDITS)
def set_alert(request: HttpRequest, member: Member) -> HttpResponse:
    """Set the threshold of the low balance alert."""
    form = AlertForm(request.POST)
    if not form.is_valid():
        return _render(request, member, alert_form=form)
    threshold = form.cleaned_data["threshold"]
    actor = user_actor(member.user, request)
    alerts.set_low_balance_threshold(
        workspace_id=member.workspace_id, threshold=threshold, actor=actor
    )
    when = f"the balance drops below {threshold:,} credits" if threshold else "credits run out"
    messages.success(request, f"You will be alerted when {when}.")
    return redirect("dashboard:credits", member.workspace.slug)


@workspace_action(Permission.REQUEST_CREDITS)
def request_plan(request: HttpRequest, member: Member) -> HttpResponse:
    """Request another plan."""
    account = Account.objects.select_related("plan").filter(pk=member.workspace_id).first()
    form = PlanRequestForm(request.POST, current=account.plan if account else None)
    if not form.is_valid():
        return _render(request, member, plan_form=form)
    return _send_request(request, member, credit_requests.request_plan, **form.cleaned_data)


@workspace_action(Permission.REQUEST_CREDITS)
def request_credits(request: HttpRequest, member: Member) -> HttpResponse:
    """Request to buy credits."""
    form = PurchaseRequestForm(request.POST)
    if not form.is_valid():
        return _render(request, member, purchase_form=form)
    return _send_request(request, member, credit_requests.request_credits, **form.cleaned_data)


@workspace_action(Permission.REQUEST_CREDITS)
def withdraw(request: HttpRequest, member: Member, request_id: str) -> HttpResponse:
    """Withdraw an open request."""
    actor = user_actor(member.user, request)
    try:
        credit_requests.withdraw_request(
            workspace_id=member.workspace_id, request_id=request_id, actor=actor
        )
    except RequestNotOpen as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Request withdrawn.")
    return redirect("dashboard:credits", member.workspace.slug)


def _send_request(
    request: HttpRequest, member: Member, send: Callable[..., CreditRequest], **fields: Any
) -> HttpResponse:
    actor = user_actor(member.user, request)
    try:
        send(workspace_id=member.workspace_id, user=member.user, actor=actor, **fields)
    except RequestAlreadyOpen as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Request sent. We reply by email.")
    return redirect("dashboard:credits", member.workspace.slug)


def _render(request: HttpRequest, member: Member, **invalid_forms: forms.Form) -> HttpResponse:
    """Render the page; `invalid_forms` replace the empty forms of the same name."""
    workspace_id = member.workspace_id
    period = request.GET.get("period", "")
    form, page = STATEMENT.load_page(request, member)
    conversation_ids = conversation_ids_by_turn(workspace_id, page.rows)
    embedded = embedded_by_reference(workspace_id, page.rows)
    account = Account.objects.select_related("plan", "next_plan").filter(pk=workspace_id).first()
    context = {
        "account": account,
        "knowledge": knowledge_limits(workspace_id),
        "expiring": upcoming_expiries(account)[:MAX_EXPIRIES] if account else [],
        "period": period if period in PERIODS else "30d",
        "uses": usage_breakdown(
            workspace_id, since=timezone.now() - PERIODS.get(period, PERIODS["30d"])
        ),
        "form": form,
        "page": page,
        "rows": [
            (entry, conversation_ids.get(entry.turn_id or ""), embedded.get(entry.reference))
            for entry in page.rows
        ],
        "month": Month.containing(timezone.now()),
        "may_export": is_allowed(member.role, Permission.EXPORT),
        "may_request": is_allowed(member.role, Permission.REQUEST_CREDITS),
        "requests": credit_requests_for(workspace_id)[:MAX_REQUESTS],
        "alert_form": AlertForm(
            initial={"threshold": account.low_balance_threshold if account else None}
        ),
        "plan_form": PlanRequestForm(current=account.plan if account else None),
        "purchase_form": PurchaseRequestForm(),
        **invalid_forms,
    }
    return render(request, "dashboard/credits.html", context, status=422 if invalid_forms else 200)


@require_safe
@workspace_page(Permission.EXPORT)
def statement(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The filtered ledger entries as CSV."""
    return STATEMENT.csv_response(request, member)
