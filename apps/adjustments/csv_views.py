"""The page on which a CSV file of adjustments is tried, looked at row by row, and posted whole."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from apps.accounts.access import signed_in_user
from apps.adjustments import preview_tokens, services
from apps.adjustments.csv_import import (
    COLUMNS,
    EXAMPLE,
    MOST_BYTES,
    MOST_ROWS,
    Row,
    Sheet,
    Unreadable,
    digest_of,
    read_sheet,
)
from apps.adjustments.errors import Differs, PostedBefore, Refused
from apps.adjustments.forms import UploadForm
from apps.adjustments.queries import Foreseen, foresee
from apps.adjustments.views import TOO_OLD, Frame, done
from apps.audit.services import staff


def upload(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """Choose a file, see every row checked, post all of it or nothing."""
    if token := request.POST.get("preview"):
        try:
            preview = preview_tokens.unseal(token, by=signed_in_user(request))
        except preview_tokens.Stale:
            messages.warning(request, TOO_OLD)
            return redirect(request.path)
        return _confirm(request, frame, preview)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            return _dry_run(request, frame, name=file.name, content=file.read())
        except (Unreadable, PostedBefore) as error:
            form.add_error("file", str(error))
    return frame.show(
        request,
        "upload",
        "Adjust by CSV",
        form=form,
        columns=COLUMNS,
        example=EXAMPLE,
        most_rows=MOST_ROWS,
        most_kib=MOST_BYTES // 1024,
        is_wrong=bool(form.errors),
    )


def _dry_run(
    request: HttpRequest,
    frame: Frame,
    *,
    name: str,
    content: bytes,
    id: str = "",
    warning: str = "",
) -> HttpResponseBase:
    by = signed_in_user(request)
    services.refuse_posted_file(digest_of(content))
    sheet = read_sheet(content)
    outlook = foresee(lines=sheet.lines, by=by)
    foreseen = {each.line.number: each for each in outlook.lines}
    wrong = sum(1 for row in sheet.rows if _wrong(row, foreseen))
    carried = {"name": name, "file": base64.b64encode(content).decode()}
    token = "" if wrong else preview_tokens.seal(content=carried, outlook=outlook, by=by, id=id)
    return frame.show(
        request,
        "dry_run",
        "Dry run",
        name=name,
        sheet=sheet,
        outlook=outlook,
        wrong=wrong,
        given=sum(line.credits for line in sheet.lines if line.credits > 0),
        taken=-sum(line.credits for line in sheet.lines if line.credits < 0),
        table=_table(sheet, foreseen),
        token=token,
        warning=warning,
        is_wrong=bool(wrong or warning),
    )


def _confirm(
    request: HttpRequest, frame: Frame, preview: preview_tokens.Preview
) -> HttpResponseBase:
    by = signed_in_user(request)
    name, content = preview.content["name"], base64.b64decode(preview.content["file"])
    sheet = read_sheet(content)
    try:
        adjustment = services.submit(
            lines=sheet.lines,
            by=by,
            actor=staff(by, request),
            adjustment_id=preview.id,
            mark=preview.mark,
            file_name=name,
            file_digest=sheet.digest,
        )
    except (Differs, Refused) as error:
        said = str(error) if isinstance(error, Differs) else "Nothing was posted."
        return _dry_run(request, frame, name=name, content=content, id=preview.id, warning=said)
    except PostedBefore as error:
        messages.error(request, str(error))
        return redirect("admin:adjustments_adjustment_change", error.adjustment.pk)
    return done(request, adjustment)


def _wrong(row: Row, foreseen: Mapping[int, Foreseen]) -> list[str]:
    found = foreseen.get(row.number)
    return [*row.wrong, *(found.wrong if found else ())]


def _table(sheet: Sheet, foreseen: Mapping[int, Foreseen]) -> dict[str, Any]:
    rows = []
    for row in sheet.rows:
        found = foreseen.get(row.number)
        cells = row.cells
        why = [cells.get("reason", ""), cells.get("reference", ""), cells.get("expiry", "")]
        rows.append(
            [
                row.number,
                cells.get("workspace", ""),
                cells.get("kind", ""),
                cells.get("amount", ""),
                f"{found.before.balance:,} → {found.after:,}" if found else "",
                " · ".join(part for part in why if part),
                " ".join(_wrong(row, foreseen)) or "nothing",
            ]
        )
    headers = ["Row", "Workspace", "Kind", "Amount", "Balance", "Why", "What is wrong"]
    return {"headers": headers, "rows": rows}
