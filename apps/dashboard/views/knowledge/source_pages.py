from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.audit.services import user_actor
from apps.core.errors import ApiError
from apps.dashboard.access import clean_id, workspace_action, workspace_page
from apps.dashboard.forms.sources import ChunkForm, changes_of, edit_form
from apps.dashboard.list_pages import ListPage
from apps.dashboard.presenters.knowledge import SourceRow
from apps.knowledge.downloads import file_response
from apps.knowledge.errors import ChunkNotFound
from apps.knowledge.models import Chunk, DocumentStatus, Source
from apps.knowledge.models.sources import WEB_TYPES
from apps.knowledge.queries import documents_of, find_chunk, find_file, find_source, live_chunks
from apps.knowledge.services.chunks import MAX_CHUNK_LENGTH, update_chunk
from apps.knowledge.services.sources import update_source
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

CHUNKS_PER_PAGE = 25
DOCUMENTS_PER_PAGE = 50


@workspace_page(Permission.VIEW)
def source(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """A source and its passages: those of one `?document=`, or from the `?chunk=` of a link on."""
    found = find_source(member.workspace_id, source_id)
    chunks = live_chunks(found).defer("words")
    document = None
    if "document" in request.GET:
        document = documents_of(found).filter(id=clean_id(request.GET["document"])).first()
        chunks = chunks.filter(document=document) if document else chunks
    is_gone = False
    offset = _offset(request)
    if chunk_id := request.GET.get("chunk"):
        try:
            offset = _position(found, find_chunk(member.workspace_id, chunk_id))
            offset -= offset % CHUNKS_PER_PAGE
        except ChunkNotFound:
            is_gone = True
    page = _slice(request, chunks, offset, CHUNKS_PER_PAGE)
    context = {
        "page": page,
        "document": document,
        "is_gone": is_gone,
        "is_live": SourceRow(found).is_indexing,
        "max_chunk_length": MAX_CHUNK_LENGTH,
    }
    return _render(request, member, found, "passages", context)


@workspace_page(Permission.VIEW)
def source_documents(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """The pages of a site or sitemap with what came of each, filtered by `?status=`."""
    found = find_source(member.workspace_id, source_id)
    documents = documents_of(found)
    status = request.GET.get("status", "")
    status = status if status in DocumentStatus.values else ""
    counts: dict[str, int] = dict(documents.order_by().values_list("status").annotate(Count("id")))
    if status:
        documents = documents.filter(status=status)
    context = {
        "page": _slice(request, documents, _offset(request), DOCUMENTS_PER_PAGE),
        "status": status,
        "tabs": [("", "All", sum(counts.values()))]
        + [(each.value, each.label, counts.get(each.value, 0)) for each in DocumentStatus],
        "is_live": SourceRow(found).is_indexing,
    }
    return _render(request, member, found, "documents", context)


@workspace_page(Permission.EDIT_KNOWLEDGE, methods=("GET", "HEAD", "POST"))
def source_settings(request: HttpRequest, member: Member, source_id: str) -> HttpResponse:
    """Change a source. What is read of it again is found as it was until that is done."""
    found = find_source(member.workspace_id, source_id)
    form = edit_form(found, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and _update(request, member, found, form):
        messages.success(request, "Changes saved.")
        return redirect("dashboard:source", member.workspace.slug, found.id)
    context = {"form": form, "is_web": found.type in WEB_TYPES, "is_page": found.type == "page"}
    status = 422 if form.is_bound else 200
    return _render(request, member, found, "settings", context, status=status)


def _update(request: HttpRequest, member: Member, found: Source, form: forms.Form) -> bool:
    """Save a valid form. Return whether it was not refused; the form says why."""
    try:
        update_source(
            source=found,
            actor=user_actor(member.user, request),
            changes=changes_of(form, found.type),
        )
    except ValidationError as error:
        form.add_error(None, " ".join(error.messages))
        return False
    return True


@workspace_page(Permission.VIEW)
def download(request: HttpRequest, member: Member, source_id: str) -> HttpResponseBase:
    """The file of a source as it was uploaded. Never shown by the browser itself."""
    return file_response(find_file(find_source(member.workspace_id, source_id)))


@workspace_action(Permission.EDIT_KNOWLEDGE)
def edit_chunk(request: HttpRequest, member: Member, chunk_id: str) -> HttpResponse:
    """Change a passage's text (`text`), restore it (`restore`), or switch it (`enabled`)."""
    chunk = find_chunk(member.workspace_id, chunk_id)
    found = find_source(member.workspace_id, chunk.generation.source_id)
    changes: dict[str, Any] = {}
    if "enabled" in request.POST:
        changes["is_enabled"] = request.POST["enabled"] == "yes"
    elif "restore" in request.POST:
        changes["text"] = None
    else:
        form = ChunkForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"Not saved. {form.errors['text'][0]}")
            return _redirect_to_chunk(member, found, chunk.id)
        changes["text"] = form.cleaned_data["text"]
    try:
        update_chunk(chunk=chunk, actor=user_actor(member.user, request), changes=changes)
    except ChunkNotFound:
        raise
    except ApiError as error:
        messages.error(request, f"Not saved. {error.message}")
    except ValidationError as error:
        messages.error(request, f"Not saved. {' '.join(error.messages)}")
    else:
        messages.success(request, "Passage saved.")
    return _redirect_to_chunk(member, found, chunk.id)


def _redirect_to_chunk(member: Member, found: Source, chunk_id: str) -> HttpResponse:
    url = reverse("dashboard:source", args=[member.workspace.slug, found.id])
    return redirect(f"{url}?chunk={chunk_id}#{chunk_id}")


def _position(found: Source, chunk: Chunk) -> int:
    """How many passages of the source come before this one. Raises ChunkNotFound for another's."""
    if chunk.generation.source_id != found.id:
        raise ChunkNotFound
    same_document = Q(document_id=chunk.document_id, position__lt=chunk.position)
    earlier = Q(document__position__lt=chunk.document.position)
    return live_chunks(found).filter(earlier | same_document).order_by().count()


def _offset(request: HttpRequest) -> int:
    value = request.GET.get("from", "")
    return min(int(value), 1_000_000) if value.isascii() and value.isdigit() else 0


def _slice(request: HttpRequest, rows: QuerySet[Any], offset: int, limit: int) -> ListPage[Model]:
    """Some rows in their order, with links to the first and the following ones."""
    query = request.GET.copy()
    for name in ("from", "chunk"):
        query.pop(name, None)
    found = list(rows[offset : offset + limit + 1])
    first_url = f"?{query.urlencode()}" if offset else None
    next_url = None
    if len(found) > limit:
        query["from"] = str(offset + limit)
        next_url = f"?{query.urlencode()}"
    return ListPage(found[:limit], first_url, next_url)


def _render(
    request: HttpRequest,
    member: Member,
    found: Source,
    here: str,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    context |= {
        "source": found,
        "base": found.knowledge_base,
        "row": SourceRow(found),
        "here": here,
        "has_documents": found.type in ("crawl", "sitemap"),
        "has_file": found.type == "file",
        "may_edit": is_allowed(member.role, Permission.EDIT_KNOWLEDGE),
    }
    return render(request, f"dashboard/knowledge/source_{here}.html", context, status=status)
