from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.knowledge import SourceFilterForm
from apps.dashboard.list_pages import paginate
from apps.dashboard.presenters.knowledge import (
    SourceRow,
    base_figures,
    chatbots_by_base,
    model_change,
)
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.models.sources import INDEXING_STATUSES
from apps.knowledge.queries import find_knowledge_base, find_source, sources_of
from apps.knowledge.services import sources as services
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

FILE_TYPES = "PDF, Word, PowerPoint, Excel, HTML, Markdown, CSV and text"
ACCEPTED_FILES = ".pdf,.docx,.pptx,.xlsx,.xls,.ods,.html,.htm,.md,.markdown,.csv,.tsv,.txt"


@workspace_page(Permission.VIEW)
def knowledge_base(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """A knowledge base's sources. The page reloads the list while one is being indexed."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    form = SourceFilterForm(member.workspace_id, request.GET)
    page = paginate(request, sources_of(base).filter(form.conditions()))
    figures = base_figures(base)
    context = {
        "base": base,
        "figures": figures,
        "form": form,
        "page": page,
        "chatbots": chatbots_by_base(member.workspace_id).get(base.id, []),
        "rows": [SourceRow(source) for source in page.rows],
        "change": model_change(base, chunks=figures.chunks),
        "is_live": figures.indexing or (base.next_embedding_model_id and not base.embedding_error),
        "may_edit": is_allowed(member.role, Permission.EDIT_KNOWLEDGE),
        "file_types": FILE_TYPES,
        "accepted_files": ACCEPTED_FILES,
        "max_file_mib": services.MAX_FILE_BYTES // 2**20,
        "max_file_bytes": services.MAX_FILE_BYTES,
    }
    return render(request, "dashboard/knowledge/sources.html", context)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def upload(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """Add files as sources. Each that is refused has its own reason; the others are added.

    The script of the page sends one at a time and asks for JSON: `{"error": "…" or null}`.
    """
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    files = request.FILES.getlist("files")
    errors = [(file.name or "File", _add(request, member, base, file)) for file in files]
    if request.accepts("text/html"):
        return _report_upload(request, member, base, errors)
    error = errors[0][1] if errors else "Choose a file."
    return JsonResponse({"error": error}, status=422 if error else 201)


def _add(
    request: HttpRequest, member: Member, base: KnowledgeBase, file: "UploadedFile[bytes]"
) -> str | None:
    """Add a file. Return why it was refused, None if it was not."""
    try:
        services.add_file(
            base=base,
            name=file.name or "",
            content_type=file.content_type or "",
            body=file.read(),
            actor=user_actor(member.user, request),
        )
    except LimitReached as error:
        return error.message
    except ValidationError as error:
        return " ".join(error.messages)
    return None


def _report_upload(
    request: HttpRequest, member: Member, base: KnowledgeBase, errors: list[tuple[str, str | None]]
) -> HttpResponse:
    for name, error in errors:
        if error:
            messages.error(request, f"{name}: {error}")
    added = sum(error is None for _, error in errors)
    if added:
        text = f"{added} file{'' if added == 1 else 's'} added. Indexing goes on in the background."
        messages.success(request, text)
    elif not errors:
        messages.error(request, "Choose a file.")
    return redirect("dashboard:knowledge_base", member.workspace.slug, base.id)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def reindex(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """Fetch and index a source again. What is indexed of it is found until then."""
    source = find_source(member.workspace_id, source_id)
    services.reindex_source(source=source, actor=user_actor(member.user, request))
    messages.success(request, f"{source.title} is indexed again.")
    return _redirect_back(request, member, source_id)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def cancel(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """End the indexing of a source."""
    source = find_source(member.workspace_id, source_id)
    services.cancel_indexing(source=source, actor=user_actor(member.user, request))
    is_canceled = source.status in INDEXING_STATUSES
    text = "Indexing of {} canceled." if is_canceled else "{} is not being indexed."
    messages.success(request, text.format(source.title))
    return _redirect_back(request, member, source_id)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def delete(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """Delete a source. It is found no more at once."""
    source = find_source(member.workspace_id, source_id)
    services.delete_source(source=source, actor=user_actor(member.user, request))
    messages.success(request, f"{source.title} deleted.")
    return redirect("dashboard:knowledge_base", member.workspace.slug, source.knowledge_base_id)


def _redirect_back(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """To the list from which the form was sent (`from=list`), else to the source's page."""
    source = find_source(member.workspace_id, source_id)
    if request.POST.get("from") == "list":
        return redirect("dashboard:knowledge_base", member.workspace.slug, source.knowledge_base_id)
    return redirect("dashboard:source", member.workspace.slug, source.id)
