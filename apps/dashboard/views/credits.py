from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.credits import alerts
from apps.credits import credit_requests as requests
from apps.credits.errors import RequestAlreadyOpen, RequestNotOpen
from apps.credits.models import Account, CreditRequest, LedgerEntry
from apps.credits.queries import credit_requests_for, ledger_entries_for, upcoming_expiries
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.credits import (
    AlertForm,
    PlanRequestForm,
    PurchaseRequestForm,
    StatementFilterForm,
)
from apps.dashboard.list_pages import paginate
from apps.reporting.credit_usage import conversation_ids_by_turn, usage_breakdown
from apps.reporting.csv_download import csv_response
from apps.reporting.monthly_statements import Month
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

SHOWN_EXPIRIES = 3
SHOWN_REQUESTS = 10
PERIODS = {"7d": timedelta(days=7), "30d": timedelta(days=30)}
COLUMNS = ("id", "time", "kind", "credits", "balance after", "turn", "reason")


@workspace_page(Permission.VIEW)
@require_safe
def credits(request: HttpRequest, member: Member) -> HttpResponse:
    """What the workspace has, where it went, what it asked for, and each entry of its ledger."""
    return _page(request, member)


@workspace_page(Permission.REQUEST_CREDITS)
@require_POST
def set_alert(request: HttpRequest, member: Member) -> HttpResponse:
    """Say below how many credits the workspace is told."""
    form = AlertForm(request.POST)
    if not form.is_valid():
        return _page(request, member, alert_form=form)
    threshold = form.cleaned_data["threshold"]
    actor = user_actor(member.user, request)
    alerts.set_low_balance_threshold(
        workspace_id=member.workspace_id, threshold=threshold, actor=actor
    )
    when = f"the balance drops below {threshold:,} credits" if threshold else "credits run out"
    messages.success(request, f"You will be alerted when {when}.")
    return redirect("dashboard:credits", member.workspace.slug)


@workspace_page(Permission.REQUEST_CREDITS)
@require_POST
def ask_for_plan(request: HttpRequest, member: Member) -> HttpResponse:
    """Ask for another plan."""
    account = Account.objects.select_related("plan").filter(pk=member.workspace_id).first()
    form = PlanRequestForm(request.POST, current=account.plan if account else None)
    if not form.is_valid():
        return _page(request, member, plan_form=form)
    return _asked(request, member, requests.request_plan, **form.cleaned_data)


@workspace_page(Permission.REQUEST_CREDITS)
@require_POST
def ask_for_credits(request: HttpRequest, member: Member) -> HttpResponse:
    """Ask to buy credits."""
    form = PurchaseRequestForm(request.POST)
    if not form.is_valid():
        return _page(request, member, purchase_form=form)
    return _asked(request, member, requests.request_credits, **form.cleaned_data)


@workspace_page(Permission.REQUEST_CREDITS)
@require_POST
def withdraw(request: HttpRequest, member: Member, request_id: str) -> HttpResponse:
    """Take a request back that nobody has answered."""
    actor = user_actor(member.user, request)
    try:
        requests.withdraw_request(
            workspace_id=member.workspace_id, request_id=request_id, actor=actor
        )
    except RequestNotOpen as ended:
        messages.error(request, str(ended))
    else:
        messages.success(request, "Request withdrawn.")
    return redirect("dashboard:credits", member.workspace.slug)


def _asked(
    request: HttpRequest, member: Member, ask: Callable[..., CreditRequest], **wanted: Any
) -> HttpResponse:
    actor = user_actor(member.user, request)
    try:
        ask(workspace_id=member.workspace_id, user=member.user, actor=actor, **wanted)
    except RequestAlreadyOpen as there:
        messages.error(request, str(there))
    else:
        messages.success(request, "Request sent. We reply by email.")
    return redirect("dashboard:credits", member.workspace.slug)


def _page(request: HttpRequest, member: Member, **filled: forms.Form) -> HttpResponse:
    """The page, with a form that was filled in wrongly in the place of an empty one."""
    workspace_id = member.workspace_id
    period = request.GET.get("period", "")
    form = StatementFilterForm(request.GET)
    page = paginate(request, ledger_entries_for(workspace_id, **form.given()))
    responses = conversation_ids_by_turn(workspace_id, page.rows)
    account = Account.objects.select_related("plan", "next_plan").filter(pk=workspace_id).first()
    context = {
        "account": account,
        "expiring": upcoming_expiries(account)[:SHOWN_EXPIRIES] if account else [],
        "period": period if period in PERIODS else "30d",
        "uses": usage_breakdown(
            workspace_id, since=timezone.now() - PERIODS.get(period, PERIODS["30d"])
        ),
        "form": form,
        "page": page,
        "rows": [(entry, responses.get(entry.turn_id or "")) for entry in page.rows],
        "month": Month.containing(timezone.now()),
        "may_export": is_allowed(member.role, Permission.EXPORT),
        "may_ask": is_allowed(member.role, Permission.REQUEST_CREDITS),
        "requests": credit_requests_for(workspace_id)[:SHOWN_REQUESTS],
        "alert_form": AlertForm(
            initial={"threshold": account.low_balance_threshold if account else None}
        ),
        "plan_form": PlanRequestForm(current=account.plan if account else None),
        "purchase_form": PurchaseRequestForm(),
        **filled,
    }
    return render(request, "dashboard/credits.html", context, status=422 if filled else 200)


@require_safe
@workspace_page(Permission.EXPORT)
def statement(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """The entries of the ledger that are looked for, as CSV."""
    found = ledger_entries_for(member.workspace_id, **StatementFilterForm(request.GET).given())
    return csv_response(f"{member.workspace.slug}-credits.csv", COLUMNS, found, _line)


def _line(entry: LedgerEntry) -> tuple[object, ...]:
    return (
        entry.id,
        entry.created_at.isoformat(timespec="milliseconds"),
        entry.kind,
        entry.amount,
        entry.balance_after,
        entry.turn_id,
        entry.reason,
    )
