"""Admin pages to adjust the credits of one workspace and to decide pending adjustments."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import signed_in_user
from apps.adjustments import services
from apps.adjustments.admin_page import (
    reads_preview_token,
    redirect_to_adjustment,
    redirect_to_result,
)
from apps.adjustments.errors import (
    AdjustmentError,
    AdjustmentRefused,
    DecisionNotAllowed,
    PreviewOutdated,
)
from apps.adjustments.forms import AdjustForm, DeclineForm
from apps.adjustments.lines import LineData, lines_for
from apps.adjustments.models import ADJUST_PERMISSION, Adjustment
from apps.adjustments.preview_tokens import ConfirmedPreview, line_content, make_token
from apps.adjustments.previews import Preview, preview_adjustment
from apps.adjustments.queries import GOODWILL_DAYS, goodwill_left
from apps.adjustments.repeats import find_repeats
from apps.audit.services import staff_actor
from apps.core.dates import usable_to
from apps.credits.models import LedgerEntry
from apps.infrastructure.admin import StaffAdmin
from apps.workspaces.models import Workspace


@reads_preview_token
def adjust(
    request: HttpRequest, admin: StaffAdmin, confirmed: ConfirmedPreview | None
) -> HttpResponseBase:
    """Show the form, then the balance before and after, then post the adjustment."""
    if confirmed is None:
        return _show_form(request, admin)
    if "change" in request.POST:
        return _show_form(request, admin, line=confirmed.line)
    return _confirm(request, admin, confirmed)


def decide(request: HttpRequest, admin: StaffAdmin, adjustment: Adjustment) -> HttpResponseBase:
    """Show a pending adjustment; approve or decline it as a second person."""
    user = signed_in_user(request)
    preview = preview_adjustment(lines=lines_for(adjustment), user=adjustment.requested_by)
    is_declining = request.method == "POST" and "decline" in request.POST
    form = DeclineForm(request.POST if is_declining else None)
    warning = ""
    try:
        if is_declining and form.is_valid():
            services.decline(
                adjustment_id=adjustment.pk,
                user=user,
                actor=staff_actor(user, request),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, "Declined. Nothing was posted.")
            return redirect_to_adjustment(adjustment)
        if request.method == "POST" and not is_declining:
            approved = services.approve(
                adjustment_id=adjustment.pk,
                user=user,
                actor=staff_actor(user, request),
                fingerprint=request.POST.get("fingerprint", ""),
            )
            return redirect_to_result(request, approved)
    except PreviewOutdated as error:
        preview, warning = error.preview, str(error)
    except DecisionNotAllowed as error:
        messages.error(request, str(error))
        return redirect_to_adjustment(adjustment)
    except AdjustmentError as error:
        warning = str(error)
    return admin.render_page(
        request,
        "adjustments/decide",
        "Review adjustment",
        has_errors=bool(warning) or bool(form.errors),
        adjustment=adjustment,
        preview=preview,
        table=_preview_table(preview),
        form=form,
        warning=warning,
        decision_blocker=services.decision_blocker(adjustment=adjustment, user=user),
    )


def _show_form(
    request: HttpRequest, admin: StaffAdmin, *, line: LineData | None = None
) -> HttpResponseBase:
    """Show the form, filled in with `line` if given, or the preview if the form is valid."""
    user = signed_in_user(request)
    entry = _entry_to_reverse(request)
    data = request.POST if request.method == "POST" and line is None else None
    initial = _initial_values(line) if line else {"workspace": _workspace_from_query(request)}
    form = AdjustForm(data, user=user, entry=entry, initial=initial)
    if form.is_valid():
        preview = preview_adjustment(lines=[form.line], user=user)
        if preview.is_allowed:
            token = make_token(content=line_content(form.line), preview=preview, user=user)
            return _show_preview(request, admin, preview, token)
        for error in preview.lines[0].errors:
            form.add_error(None, error)
    return admin.render_page(
        request,
        "adjustments/adjust",
        "Reverse a ledger entry" if entry else "Adjust credits",
        has_errors=bool(form.errors),
        form=form,
        entry=entry,
        goodwill_hint=_goodwill_hint(request, form),
    )


def _show_preview(
    request: HttpRequest, admin: StaffAdmin, preview: Preview, token: str, warning: str = ""
) -> HttpResponseBase:
    return admin.render_page(
        request,
        "adjustments/preview",
        "Request approval" if preview.approval_reasons else "Post this adjustment",
        has_errors=bool(warning),
        preview=preview,
        preview_line=preview.lines[0],
        repeats=find_repeats([preview.lines[0].line]),
        token=token,
        warning=warning,
    )


def _confirm(
    request: HttpRequest, admin: StaffAdmin, confirmed: ConfirmedPreview
) -> HttpResponseBase:
    user = signed_in_user(request)
    try:
        adjustment = services.submit(
            lines=[confirmed.line],
            user=user,
            actor=staff_actor(user, request),
            adjustment_id=confirmed.id,
            fingerprint=confirmed.fingerprint,
        )
    except PreviewOutdated as error:
        token = make_token(
            content=confirmed.content, preview=error.preview, user=user, id=confirmed.id
        )
        return _show_preview(request, admin, error.preview, token, str(error))
    except AdjustmentRefused as error:
        messages.error(request, str(error))
        return _show_form(request, admin, line=confirmed.line)
    return redirect_to_result(request, adjustment)


def _entry_to_reverse(request: HttpRequest) -> LedgerEntry | None:
    """Return the entry that `?reverses=` names. Raises Http404."""
    entry_id = request.GET.get("reverses")
    if entry_id is None:
        return None
    entry = LedgerEntry.objects.select_related("workspace").filter(pk=entry_id).first()
    if entry is None or not signed_in_user(request).has_perm(ADJUST_PERMISSION):
        raise Http404
    return entry


def _workspace_from_query(request: HttpRequest) -> str:
    """Return the slug of the workspace that `?workspace=` names by slug or id."""
    given = request.GET.get("workspace", "")
    workspace = Workspace.objects.filter(pk=given).first()
    return workspace.slug if workspace else given


def _initial_values(line: LineData) -> dict[str, Any]:
    workspace = Workspace.objects.get(pk=line.workspace_id)
    return {
        "workspace": workspace.slug,
        "direction": "take" if line.credits < 0 else "give",
        "credits": abs(line.credits),
        "category": line.category,
        "reason": line.reason,
        "reference": line.reference,
        "expires_on": line.last_day,
    }


def _goodwill_hint(request: HttpRequest, form: AdjustForm) -> str:
    """Say how much goodwill is left, to users who may give nothing else."""
    if signed_in_user(request).has_perm(ADJUST_PERMISSION):
        return ""
    workspace = Workspace.objects.filter(slug=form["workspace"].value() or "").first()
    if workspace is None:
        return ""
    left = goodwill_left(workspace.pk)
    return f"{workspace.slug} can get {left:,} more goodwill credits within {GOODWILL_DAYS} days."


def _preview_table(preview: Preview) -> dict[str, Any]:
    """Return the preview in the format of unfold's table component."""
    rows = []
    for each in preview.lines:
        line = each.line
        until = f"usable to {usable_to(line.expires_at)}" if line.expires_at else ""
        rows.append(
            [
                each.workspace.slug,
                line.category,
                f"{line.credits:+,}",
                f"{each.balance_before.balance:,}",
                f"{each.balance_after:,}",
                " · ".join(part for part in (line.reason, line.reference, until) if part),
                " ".join(each.errors),
            ]
        )
    headers = ["Workspace", "Kind", "Credits", "Balance before", "After", "Reason", "Errors"]
    if preview.is_allowed:
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return {"headers": headers, "rows": rows}
