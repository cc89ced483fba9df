from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.conversations.errors import ExportNotReady, TooManyExports
from apps.conversations.exports.downloads import export_response
from apps.conversations.exports.queries import exports_for, get_completed_export, get_export
from apps.conversations.exports.services import ExportFilters, delete_export, request_export
from apps.conversations.models.export import ExportFormat
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.conversations import ConversationFilterForm
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.exports import export_rows
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission


@workspace_page(Permission.EXPORT)
def exports(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's exports, newest first. The page reloads itself while one is written."""
    page = paginate(request, exports_for(member.workspace_id))
    rows = export_rows(member.workspace_id, page.rows)
    context = {"page": page, "rows": rows, "is_live": any(row.is_unfinished for row in rows)}
    return render(request, "dashboard/exports.html", context)


@workspace_action(Permission.EXPORT)
def create(request: HttpRequest, member: Member) -> HttpResponse:
    """Request an export of the filtered conversations."""
    file_format = request.POST.get("format", "")
    if file_format not in ExportFormat.values:
        file_format = ExportFormat.CSV
    form = ConversationFilterForm(member.workspace_id, request.POST)
    try:
        request_export(
            workspace_id=member.workspace_id,
            file_format=file_format,
            filters=ExportFilters(**form.filters()),
            actor=user_actor(member.user, request),
        )
    except TooManyExports as error:
        messages.error(request, str(error))
    return redirect("dashboard:exports", member.workspace.slug)


@workspace_page(Permission.EXPORT)
def download(request: HttpRequest, member: Member, export_id: str) -> StreamingHttpResponse:
    """Download a completed export."""
    try:
        export = get_completed_export(member.workspace_id, export_id)
        return export_response(export, is_for_people=True)
    except ExportNotReady:
        raise Http404 from None


@workspace_action(Permission.EXPORT)
def delete(request: HttpRequest, member: Member, export_id: str) -> HttpResponse:
    """Delete an export with its file. One that is being written stops."""
    export = get_export(member.workspace_id, export_id)
    delete_export(export=export, actor=user_actor(member.user, request))
    messages.success(request, "Export deleted.")
    return redirect("dashboard:exports", member.workspace.slug)
