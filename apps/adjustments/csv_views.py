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
    EXAMPLE_ROW,
    MAX_BYTES,
    MAX_ROWS,
    CsvFile,
    CsvRow,
    InvalidCsvFile,
    file_digest,
    parse_csv_file,
)
from apps.adjustments.errors import AdjustmentRefused, FileAlreadyPosted, PreviewOutdated
from apps.adjustments.forms import UploadForm
from apps.adjustments.queries import PreviewLine, preview_adjustment
from apps.adjustments.views import PREVIEW_EXPIRED, AdminPage, redirect_to_result
from apps.audit.services import staff_actor


def upload(request: HttpRequest, frame: AdminPage) -> HttpResponseBase:
    """Choose a file, see every row checked, post all of it or nothing."""
    if token := request.POST.get("preview"):
        try:
            preview = preview_tokens.read_token(token, user=signed_in_user(request))
        except preview_tokens.InvalidPreviewToken:
            messages.warning(request, PREVIEW_EXPIRED)
            return redirect(request.path)
        return _confirm(request, frame, preview)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            return _dry_run(request, frame, name=file.name, content=file.read())
        except (InvalidCsvFile, FileAlreadyPosted) as error:
            form.add_error("file", str(error))
    return frame.render(
        request,
        "upload",
        "Adjust by CSV",
        form=form,
        columns=COLUMNS,
        example=EXAMPLE_ROW,
        most_rows=MAX_ROWS,
        most_kib=MAX_BYTES // 1024,
        is_wrong=bool(form.errors),
    )


def _dry_run(
    request: HttpRequest,
    frame: AdminPage,
    *,
    name: str,
    content: bytes,
    id: str = "",
    warning: str = "",
) -> HttpResponseBase:
    by = signed_in_user(request)
    services.check_file_not_posted(file_digest(content))
    sheet = parse_csv_file(content)
    outlook = preview_adjustment(lines=sheet.lines, user=by)
    foreseen = {each.line.number: each for each in outlook.lines}
    wrong = sum(1 for row in sheet.rows if _row_errors(row, foreseen))
    carried = {"name": name, "file": base64.b64encode(content).decode()}
    token = (
        "" if wrong else preview_tokens.make_token(content=carried, preview=outlook, user=by, id=id)
    )
    return frame.render(
        request,
        "dry_run",
        "Dry run",
        name=name,
        sheet=sheet,
        outlook=outlook,
        wrong=wrong,
        given=sum(line.credits for line in sheet.lines if line.credits > 0),
        taken=-sum(line.credits for line in sheet.lines if line.credits < 0),
        table=_dry_run_table(sheet, foreseen),
        token=token,
        warning=warning,
        is_wrong=bool(wrong or warning),
    )


def _confirm(
    request: HttpRequest, frame: AdminPage, preview: preview_tokens.ConfirmedPreview
) -> HttpResponseBase:
    by = signed_in_user(request)
    name, content = preview.content["name"], base64.b64decode(preview.content["file"])
    sheet = parse_csv_file(content)
    try:
        adjustment = services.submit(
            lines=sheet.lines,
            user=by,
            actor=staff_actor(by, request),
            adjustment_id=preview.id,
            fingerprint=preview.fingerprint,
            file_name=name,
            file_digest=sheet.digest,
        )
    except (PreviewOutdated, AdjustmentRefused) as error:
        said = str(error) if isinstance(error, PreviewOutdated) else "Nothing was posted."
        return _dry_run(request, frame, name=name, content=content, id=preview.id, warning=said)
    except FileAlreadyPosted as error:
        messages.error(request, str(error))
        return redirect("admin:adjustments_adjustment_change", error.adjustment.pk)
    return redirect_to_result(request, adjustment)


def _row_errors(row: CsvRow, foreseen: Mapping[int, PreviewLine]) -> list[str]:
    found = foreseen.get(row.number)
    return [*row.errors, *(found.errors if found else ())]


def _dry_run_table(sheet: CsvFile, foreseen: Mapping[int, PreviewLine]) -> dict[str, Any]:
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
                f"{found.balance_before.balance:,} → {found.balance_after:,}" if found else "",
                " · ".join(part for part in why if part),
                " ".join(_row_errors(row, foreseen)) or "nothing",
            ]
        )
    headers = ["Row", "Workspace", "Kind", "Amount", "Balance", "Why", "What is wrong"]
    return {"headers": headers, "rows": rows}
