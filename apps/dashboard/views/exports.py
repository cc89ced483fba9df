from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.conversations.errors import ExportNotFound, ExportNotReady, TooManyExports
from apps.conversations.exports.files import file_of
from apps.conversations.exports.models import ExportFormat
from apps.conversations.exports.queries import completed_export, export_with, exports_of
from apps.conversations.exports.services import Wanted, ask_for_export, delete_export
from apps.core.ids import is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.conversations import ConversationFilterForm
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.exports import export_rows
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission


@workspace_page(Permission.EXPORT)
@require_safe
def exports(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's exports, newest first. The page asks for itself while one is written."""
    page = paginate(request, exports_of(member.workspace_id))
    rows = export_rows(member.workspace_id, page.rows)
    context = {"page": page, "rows": rows, "is_live": any(row.is_unfinished for row in rows)}
    return render(request, "dashboard/exports.html", context)


@workspace_page(Permission.EXPORT)
@require_POST
def ask(request: HttpRequest, member: Member) -> HttpResponse:
    """Ask for a file of the conversations that the list shows."""
    file_format = request.POST.get("format", "")
    if file_format not in ExportFormat.values:
        file_format = ExportFormat.CSV
    given = ConversationFilterForm(member.workspace_id, request.POST).given()
    wanted = Wanted(**given)
    try:
        ask_for_export(
            workspace_id=member.workspace_id,
            file_format=file_format,
            wanted=wanted,
            actor=user_actor(member.user, request),
        )
    except TooManyExports as refusal:
        messages.error(request, str(refusal))
    return redirect("dashboard:exports", member.workspace.slug)


@workspace_page(Permission.EXPORT)
@require_safe
def download(request: HttpRequest, member: Member, export_id: str) -> StreamingHttpResponse:
    """The file of an export that is completed."""
    try:
        return file_of(completed_export(member.workspace_id, _id(export_id)))
    except (ExportNotFound, ExportNotReady):
        raise Http404 from None


@workspace_page(Permission.EXPORT)
@require_POST
def delete(request: HttpRequest, member: Member, export_id: str) -> HttpResponse:
    """Delete an export with its file; one that is being written stops."""
    try:
        export = export_with(member.workspace_id, _id(export_id))
    except ExportNotFound:
        raise Http404 from None
    delete_export(export=export, actor=user_actor(member.user, request))
    messages.success(request, "The export is deleted.")
    return redirect("dashboard:exports", member.workspace.slug)


def _id(export_id: str) -> str:
    if not is_id(export_id):
        raise Http404
    return export_id
