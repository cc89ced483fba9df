"""Admin page to adjust credits by a CSV file: upload, check every row, post all rows or none."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import signed_in_user
from apps.adjustments import services
from apps.adjustments.admin_page import (
    reads_preview_token,
    redirect_to_adjustment,
    redirect_to_result,
)
from apps.adjustments.csv_import import (
    COLUMNS,
    EXAMPLE_ROW,
    MAX_BYTES,
    MAX_ROWS,
    CsvFile,
    CsvRow,
    InvalidCsvFile,
    parse_csv_file,
)
from apps.adjustments.errors import (
    AdjustmentRefused,
    FileAlreadyPosted,
    PreviewOutdated,
    RepeatsNotConfirmed,
)
from apps.adjustments.forms import UploadForm
from apps.adjustments.preview_tokens import ConfirmedPreview, make_token
from apps.adjustments.previews import PreviewLine, preview_adjustment
from apps.adjustments.repeats import content_digest, find_repeats
from apps.audit.services import staff_actor
from apps.core.text import legible_file_name
from apps.infrastructure.admin import StaffAdmin


@reads_preview_token
def upload(
    request: HttpRequest, admin: StaffAdmin, confirmed: ConfirmedPreview | None
) -> HttpResponseBase:
    """Show the upload form, then the dry run with every row checked, then post the file."""
    if confirmed is not None:
        return _confirm(request, admin, confirmed)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            name = legible_file_name(file.name, default="file.csv")
            return _dry_run(request, admin, name=name, content=file.read())
        except (InvalidCsvFile, FileAlreadyPosted) as error:
            form.add_error("file", str(error))
    return admin.render_page(
        request,
        "adjustments/upload",
        "Adjust by CSV",
        has_errors=bool(form.errors),
        form=form,
        columns=COLUMNS,
        example=EXAMPLE_ROW,
        max_rows=MAX_ROWS,
        max_kib=MAX_BYTES // 1024,
    )


def _dry_run(
    request: HttpRequest,
    admin: StaffAdmin,
    *,
    name: str,
    content: bytes,
    id: str = "",
    warning: str = "",
) -> HttpResponseBase:
    """Show each row with its balances and errors. Raises InvalidCsvFile, FileAlreadyPosted."""
    user = signed_in_user(request)
    csv_file = parse_csv_file(content)
    # Files that were posted before their content was recognised have the digest of their bytes.
    digests = [hashlib.sha256(content).hexdigest()]
    if len(csv_file.lines) == len(csv_file.rows):
        digests.append(content_digest(csv_file.lines))
    services.check_file_not_posted(*digests)
    repeats = find_repeats(csv_file.lines)
    preview = preview_adjustment(lines=csv_file.lines, user=user)
    preview_lines = {each.line.number: each for each in preview.lines}
    invalid_rows = sum(1 for row in csv_file.rows if _row_errors(row, preview_lines))
    token = ""
    if not invalid_rows:
        token_content = {"name": name, "file": base64.b64encode(content).decode()}
        token = make_token(content=token_content, preview=preview, user=user, id=id)
    return admin.render_page(
        request,
        "adjustments/dry_run",
        "Dry run",
        has_errors=bool(invalid_rows or warning),
        repeats=repeats,
        repeated_ids=" ".join(each.adjustment.pk for each in repeats),
        name=name,
        csv_file=csv_file,
        preview=preview,
        invalid_rows=invalid_rows,
        credits_added=sum(line.credits for line in csv_file.lines if line.credits > 0),
        credits_deducted=-sum(line.credits for line in csv_file.lines if line.credits < 0),
        table=_dry_run_table(csv_file, preview_lines),
        token=token,
        warning=warning,
    )


def _confirm(
    request: HttpRequest, admin: StaffAdmin, confirmed: ConfirmedPreview
) -> HttpResponseBase:
    user = signed_in_user(request)
    name, content = confirmed.content["name"], base64.b64decode(confirmed.content["file"])
    csv_file = parse_csv_file(content)
    try:
        adjustment = services.submit(
            lines=csv_file.lines,
            user=user,
            actor=staff_actor(user, request),
            adjustment_id=confirmed.id,
            fingerprint=confirmed.fingerprint,
            file_name=name,
            file_digest=content_digest(csv_file.lines),
            confirmed_repeats=request.POST.get("repeats", "").split(),
        )
    except (PreviewOutdated, AdjustmentRefused, RepeatsNotConfirmed) as error:
        warning = str(error) if isinstance(error, PreviewOutdated) else "Nothing was posted."
        return _dry_run(
            request, admin, name=name, content=content, id=confirmed.id, warning=warning
        )
    except FileAlreadyPosted as error:
        messages.error(request, str(error))
        return redirect_to_adjustment(error.adjustment)
    return redirect_to_result(request, adjustment)


def _row_errors(row: CsvRow, preview_lines: Mapping[int, PreviewLine]) -> list[str]:
    line = preview_lines.get(row.number)
    return [*row.errors, *(line.errors if line else ())]


def _dry_run_table(csv_file: CsvFile, preview_lines: Mapping[int, PreviewLine]) -> dict[str, Any]:
    """Return the rows in the format of unfold's table component."""
    rows = []
    for row in csv_file.rows:
        line = preview_lines.get(row.number)
        cells = row.cells
        details = [cells.get("reason", ""), cells.get("reference", ""), cells.get("expiry", "")]
        rows.append(
            [
                row.number,
                cells.get("workspace", ""),
                cells.get("kind", ""),
                cells.get("amount", ""),
                f"{line.balance_before.balance:,} → {line.balance_after:,}" if line else "",
                " · ".join(part for part in details if part),
                " ".join(_row_errors(row, preview_lines)) or "nothing",
            ]
        )
    headers = ["Row", "Workspace", "Kind", "Amount", "Balance", "Reason", "Errors"]
    return {"headers": headers, "rows": rows}
