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
from apps.adjustments.errors import Differs, NotAdjusted, Refused, Undecidable
from apps.adjustments.forms import AdjustForm, DeclineForm
from apps.adjustments.models import Adjustment
from apps.adjustments.queries import (
    ADJUST,
    GOODWILL_DAYS,
    Line,
    Outlook,
    foresee,
    goodwill_left,
    lines_of,
)
from apps.audit.services import staff
from apps.credits.models import LedgerEntry
from apps.workspaces.models import Workspace

TOO_OLD = "This preview is more than an hour old, or not yours. Fill in the form again."


@dataclass(frozen=True, slots=True)
class Frame:
    """What the admin puts around every page of its own."""

    context: Mapping[str, Any]

    def show(
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


def adjust(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """Fill in, see the balance before and after, post once."""
    if token := request.POST.get("preview"):
        try:
            preview = preview_tokens.unseal(token, by=signed_in_user(request))
        except preview_tokens.Stale:
            messages.warning(request, TOO_OLD)
            return redirect(request.get_full_path())
        if "change" in request.POST:
            return _form(request, frame, filled=preview.line)
        return _confirm(request, frame, preview)
    return _form(request, frame)


def _form(request: HttpRequest, frame: Frame, *, filled: Line | None = None) -> HttpResponseBase:
    by = signed_in_user(request)
    entry = _entry_to_reverse(request)
    sent = request.POST if request.method == "POST" and filled is None else None
    initial = _initial(filled) if filled else {"workspace": _named(request)}
    form = AdjustForm(sent, by=by, entry=entry, initial=initial)
    if form.is_valid():
        outlook = foresee(lines=[form.line], by=by)
        if outlook.is_allowed:
            token = preview_tokens.seal(
                content=preview_tokens.of_line(form.line), outlook=outlook, by=by
            )
            return _preview(request, frame, outlook, token)
        for sentence in outlook.lines[0].wrong:
            form.add_error(None, sentence)
    title = "Reverse a ledger entry" if entry else "Adjust credits"
    return frame.show(
        request,
        "adjust",
        title,
        form=form,
        entry=entry,
        goodwill=_goodwill(request, form),
        is_wrong=bool(form.errors),
    )


def _named(request: HttpRequest) -> str:
    """The slug of the workspace that the address names, by slug or id."""
    given = request.GET.get("workspace", "")
    found = Workspace.objects.filter(pk=given).first()
    return found.slug if found else given


def _initial(line: Line) -> dict[str, Any]:
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


def _goodwill(request: HttpRequest, form: AdjustForm) -> str:
    """How much goodwill is left to give, for those who may give nothing else."""
    if signed_in_user(request).has_perm(ADJUST):
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
    if entry is None or not signed_in_user(request).has_perm(ADJUST):
        raise Http404
    return entry


def _preview(
    request: HttpRequest, frame: Frame, outlook: Outlook, token: str, warning: str = ""
) -> HttpResponseBase:
    title = "Ask for approval" if outlook.second else "Post this adjustment"
    return frame.show(
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
    request: HttpRequest, frame: Frame, preview: preview_tokens.Preview
) -> HttpResponseBase:
    by = signed_in_user(request)
    line = preview.line
    try:
        adjustment = services.submit(
            lines=[line],
            by=by,
            actor=staff(by, request),
            adjustment_id=preview.id,
            mark=preview.mark,
        )
    except Differs as error:
        token = preview_tokens.seal(
            content=preview.content, outlook=error.outlook, by=by, id=preview.id
        )
        return _preview(request, frame, error.outlook, token, str(error))
    except Refused as error:
        messages.error(request, str(error))
        return _form(request, frame, filled=line)
    return done(request, adjustment)


def done(request: HttpRequest, adjustment: Adjustment) -> HttpResponse:
    """Say what came of it, at its page."""
    if adjustment.is_pending:
        messages.warning(request, "Nothing is posted yet: a second person has to approve this.")
    else:
        messages.success(request, "Posted.")
    return redirect("admin:adjustments_adjustment_change", adjustment.pk)


def decide(request: HttpRequest, frame: Frame, adjustment: Adjustment) -> HttpResponseBase:
    """Approve or decline what somebody else asked for."""
    by = signed_in_user(request)
    outlook = foresee(lines=lines_of(adjustment), by=adjustment.requested_by)
    declining = request.method == "POST" and "decline" in request.POST
    form = DeclineForm(request.POST if declining else None)
    warning = ""
    try:
        if declining and form.is_valid():
            services.decline(
                adjustment_id=adjustment.pk,
                by=by,
                actor=staff(by, request),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, "Declined. Nothing was posted.")
            return redirect("admin:adjustments_adjustment_change", adjustment.pk)
        if request.method == "POST" and not declining:
            made = services.approve(
                adjustment_id=adjustment.pk,
                by=by,
                actor=staff(by, request),
                mark=request.POST.get("mark", ""),
            )
            return done(request, made)
    except Differs as error:
        outlook, warning = error.outlook, str(error)
    except Undecidable as error:
        messages.error(request, str(error))
        return redirect(reverse("admin:adjustments_adjustment_change", args=[adjustment.pk]))
    except NotAdjusted as error:
        warning = str(error)
    return frame.show(
        request,
        "decide",
        "Decide about an adjustment",
        adjustment=adjustment,
        outlook=outlook,
        table=table_of(outlook),
        form=form,
        warning=warning,
        not_you=services.why_not_decide(adjustment=adjustment, by=by),
        is_wrong=bool(warning) or bool(form.errors),
    )


def table_of(outlook: Outlook) -> dict[str, Any]:
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
                f"{each.before.balance:,}",
                f"{each.after:,}",
                " · ".join(part for part in (line.reason, line.reference, until) if part),
                " ".join(each.wrong),
            ]
        )
    headers = ["Workspace", "Kind", "Credits", "Balance before", "After", "Why", "In the way"]
    if outlook.is_allowed:
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return {"headers": headers, "rows": rows}
