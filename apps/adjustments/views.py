"""The pages on which staff adjust credits: fill in, look, confirm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.accounts.access import signed_in_user
from apps.adjustments import preview_tokens, services
from apps.adjustments.errors import (
    AdjustmentError,
    AdjustmentRefused,
    DecisionNotAllowed,
    PreviewOutdated,
)
from apps.adjustments.forms import AdjustForm, DeclineForm
from apps.adjustments.models import Adjustment
from apps.adjustments.queries import (
    ADJUST_PERMISSION,
    GOODWILL_DAYS,
    ConfirmedPreview,
    LineData,
    goodwill_left,
    lines_for,
    preview_adjustment,
)
from apps.audit.services import staff_actor
from apps.credits.models import LedgerEntry
from apps.workspaces.models import Workspace

PREVIEW_EXPIRED = "This preview is more than an hour old, or not yours. Fill in the form again."


@dataclass(frozen=True, slots=True)
class AdminPage:
    """What the admin puts around every page of its own."""

    context: Mapping[str, Any]

    def render(
        self, request: HttpRequest, template: str, title: str, **shown: Any
    ) -> TemplateResponse:
        """The page; 422 where something in it has to be mended."""
        wrong = shown.pop("is_wrong", False)
        return TemplateResponse(
            request,
            f"admin/adjustments/{template}.html",
            {**self.context, "title": title, **shown},
            status=422 if wrong else 200,
        )


def adjust(request: HttpRequest, frame: AdminPage) -> HttpResponseBase:
    """Fill in, see the balance before and after, post once."""
    if token := request.POST.get("preview"):
        try:
            preview = preview_tokens.read_token(token, user=signed_in_user(request))
        except preview_tokens.InvalidPreviewToken:
            messages.warning(request, PREVIEW_EXPIRED)
            return redirect(request.get_full_path())
        if "change" in request.POST:
            return _show_form(request, frame, filled=preview.line)
        return _confirm(request, frame, preview)
    return _show_form(request, frame)


def _show_form(
    request: HttpRequest, frame: AdminPage, *, filled: LineData | None = None
) -> HttpResponseBase:
    by = signed_in_user(request)
    entry = _entry_to_reverse(request)
    sent = request.POST if request.method == "POST" and filled is None else None
    initial = _initial_values(filled) if filled else {"workspace": _workspace_from_query(request)}
    form = AdjustForm(sent, user=by, entry=entry, initial=initial)
    if form.is_valid():
        outlook = preview_adjustment(lines=[form.line], user=by)
        if outlook.is_allowed:
            token = preview_tokens.make_token(
                content=preview_tokens.line_content(form.line), preview=outlook, user=by
            )
            return _show_preview(request, frame, outlook, token)
        for sentence in outlook.lines[0].errors:
            form.add_error(None, sentence)
    title = "Reverse a ledger entry" if entry else "Adjust credits"
    return frame.render(
        request,
        "adjust",
        title,
        form=form,
        entry=entry,
        goodwill=_goodwill_hint(request, form),
        is_wrong=bool(form.errors),
    )


def _workspace_from_query(request: HttpRequest) -> str:
    """The slug of the workspace that the address names, by slug or id."""
    given = request.GET.get("workspace", "")
    found = Workspace.objects.filter(pk=given).first()
    return found.slug if found else given


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
    """How much goodwill is left to give, for those who may give nothing else."""
    if signed_in_user(request).has_perm(ADJUST_PERMISSION):
        return ""
    workspace = Workspace.objects.filter(slug=form["workspace"].value() or "").first()
    if workspace is None:
        return ""
    left = goodwill_left(workspace.pk)
    return f"{workspace.slug} may be given {left:,} more credits in these {GOODWILL_DAYS} days."


def _entry_to_reverse(request: HttpRequest) -> LedgerEntry | None:
    entry_id = request.GET.get("reverses")
    if entry_id is None:
        return None
    entry = LedgerEntry.objects.select_related("workspace").filter(pk=entry_id).first()
    if entry is None or not signed_in_user(request).has_perm(ADJUST_PERMISSION):
        raise Http404
    return entry


def _show_preview(
    request: HttpRequest, frame: AdminPage, outlook: ConfirmedPreview, token: str, warning: str = ""
) -> HttpResponseBase:
    title = "Ask for approval" if outlook.approval_reasons else "Post this adjustment"
    return frame.render(
        request,
        "preview",
        title,
        outlook=outlook,
        foreseen=outlook.lines[0],
        token=token,
        warning=warning,
        is_wrong=bool(warning),
    )


def _confirm(
    request: HttpRequest, frame: AdminPage, preview: preview_tokens.ConfirmedPreview
) -> HttpResponseBase:
    by = signed_in_user(request)
    line = preview.line
    try:
        adjustment = services.submit(
            lines=[line],
            user=by,
            actor=staff_actor(by, request),
            adjustment_id=preview.id,
            fingerprint=preview.fingerprint,
        )
    except PreviewOutdated as error:
        token = preview_tokens.make_token(
            content=preview.content, preview=error.preview, user=by, id=preview.id
        )
        return _show_preview(request, frame, error.preview, token, str(error))
    except AdjustmentRefused as error:
        messages.error(request, str(error))
        return _show_form(request, frame, filled=line)
    return redirect_to_result(request, adjustment)


def redirect_to_result(request: HttpRequest, adjustment: Adjustment) -> HttpResponse:
    """Say what came of it, at its page."""
    if adjustment.is_pending:
        messages.warning(request, "Nothing is posted yet: a second person has to approve this.")
    else:
        messages.success(request, "Posted.")
    return redirect("admin:adjustments_adjustment_change", adjustment.pk)


def decide(request: HttpRequest, frame: AdminPage, adjustment: Adjustment) -> HttpResponseBase:
    """Approve or decline what somebody else asked for."""
    by = signed_in_user(request)
    outlook = preview_adjustment(lines=lines_for(adjustment), user=adjustment.requested_by)
    declining = request.method == "POST" and "decline" in request.POST
    form = DeclineForm(request.POST if declining else None)
    warning = ""
    try:
        if declining and form.is_valid():
            services.decline(
                adjustment_id=adjustment.pk,
                user=by,
                actor=staff_actor(by, request),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, "Declined. Nothing was posted.")
            return redirect("admin:adjustments_adjustment_change", adjustment.pk)
        if request.method == "POST" and not declining:
            made = services.approve(
                adjustment_id=adjustment.pk,
                user=by,
                actor=staff_actor(by, request),
                fingerprint=request.POST.get("mark", ""),
            )
            return redirect_to_result(request, made)
    except PreviewOutdated as error:
        outlook, warning = error.preview, str(error)
    except DecisionNotAllowed as error:
        messages.error(request, str(error))
        return redirect(reverse("admin:adjustments_adjustment_change", args=[adjustment.pk]))
    except AdjustmentError as error:
        warning = str(error)
    return frame.render(
        request,
        "decide",
        "Decide about an adjustment",
        adjustment=adjustment,
        outlook=outlook,
        table=preview_table(outlook),
        form=form,
        warning=warning,
        not_you=services.decision_blocker(adjustment=adjustment, user=by),
        is_wrong=bool(warning) or bool(form.errors),
    )


def preview_table(outlook: ConfirmedPreview) -> dict[str, Any]:
    """An outlook as unfold's table shows it."""
    rows = []
    for each in outlook.lines:
        line = each.line
        until = f"until {line.last_day}" if line.last_day else ""
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
    headers = ["Workspace", "Kind", "Credits", "Balance before", "After", "Why", "In the way"]
    if outlook.is_allowed:
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return {"headers": headers, "rows": rows}
