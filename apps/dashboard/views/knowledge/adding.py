from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.core.errors import ServiceUnavailable, TooManyRequests
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.sources import QuestionsForm, TextForm, WebForm
from apps.knowledge.models import KnowledgeBase, Source, SourceType
from apps.knowledge.queries import find_knowledge_base
from apps.knowledge.services import sources as services
from apps.knowledge.services.web import preview_crawl
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

KINDS: dict[str, type[forms.Form]] = {"web": WebForm, "text": TextForm, "qna": QuestionsForm}
TITLES = {"web": "Web page or site", "text": "Text", "qna": "Questions and answer"}


@workspace_page(Permission.EDIT_KNOWLEDGE, methods=("GET", "HEAD", "POST"))
def add_source(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """Add a web source, a text, or an answer: `?kind=web`, `text` or `qna`.

    A POST with `preview` shows what of a site would be fetched, and adds nothing.
    """
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    kind = request.GET.get("kind", "web")
    kind = kind if kind in KINDS else "web"
    if request.method != "POST":
        form = KINDS[kind](initial=_initial(request, kind))
        return _render(request, base, kind, form)
    form = KINDS[kind](request.POST)
    is_valid = form.is_valid()
    if kind == "web" and "preview" in request.POST:
        return _preview(request, member, base, form)
    if is_valid and (source := _add(request, member, base, kind, form)):
        messages.success(request, f"{source.title} added. Indexing goes on in the background.")
        return redirect("dashboard:knowledge_base", member.workspace.slug, base.id)
    return _render(request, base, kind, form, status=422)


def _initial(request: HttpRequest, kind: str) -> dict[str, str]:
    """A question that was asked can be filled in by a link."""
    return {"questions": request.GET.get("question", "")[:1000]} if kind == "qna" else {}


def _add(
    request: HttpRequest, member: Member, base: KnowledgeBase, kind: str, form: forms.Form
) -> Source | None:
    """Add the source of a valid form. Return None if it was refused; the form says why."""
    values, actor = form.cleaned_data, user_actor(member.user, request)
    try:
        if isinstance(form, WebForm):
            return services.add_web_source(
                base=base,
                source_type=SourceType(values["type"]),
                url=values["url"],
                rules=form.rules_of(values["type"]),
                refresh_every=values["refresh_every"],
                actor=actor,
            )
        if kind == "qna":
            return services.add_question_and_answer(base=base, actor=actor, **values)
        return services.add_text(base=base, actor=actor, **values)
    except LimitReached as error:
        form.add_error(None, error.message)
    except ValidationError as error:
        form.add_error(None, " ".join(error.messages))
    return None


def _preview(
    request: HttpRequest, member: Member, base: KnowledgeBase, form: forms.Form
) -> HttpResponse:
    """The page with the preview, or only the preview for htmx."""
    context: dict[str, Any] = {}
    if isinstance(form, WebForm) and not form.errors:
        values = form.cleaned_data
        try:
            context["preview"] = preview_crawl(
                workspace_id=member.workspace_id,
                source_type=SourceType(values["type"]),
                url=values["url"],
                rules=form.rules_of(values["type"]),
            )
        except (TooManyRequests, ServiceUnavailable) as error:
            context["preview_error"] = error.message
    if request.headers.get("HX-Request"):
        return render(request, "dashboard/knowledge/preview.html", {"form": form, **context})
    return _render(request, base, "web", form, **context)


def _render(
    request: HttpRequest,
    base: KnowledgeBase,
    kind: str,
    form: forms.Form,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    context |= {"base": base, "kind": kind, "title": TITLES[kind], "form": form}
    return render(request, "dashboard/knowledge/add.html", context, status=status)
