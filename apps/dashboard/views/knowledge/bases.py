from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.knowledge import BaseNameForm, ChangeModelForm, NewBaseForm
from apps.dashboard.presenters.knowledge import (
    base_figures,
    base_rows,
    chatbots_by_base,
    model_change,
)
from apps.knowledge.errors import EmbeddingModelNotFound
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.queries import find_knowledge_base
from apps.knowledge.services import bases as services
from apps.knowledge.services.sources import reindex_knowledge_base
from apps.knowledge.usage import knowledge_limits, knowledge_usage
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@workspace_page(Permission.VIEW)
def knowledge(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's knowledge bases, and the form for a new one."""
    return _render_list(request, member, NewBaseForm())


@workspace_action(Permission.EDIT_KNOWLEDGE)
def create(request: HttpRequest, member: Member) -> HttpResponse:
    """Create a knowledge base and open it."""
    form = NewBaseForm(request.POST)
    if form.is_valid():
        try:
            base = services.create_knowledge_base(
                workspace_id=member.workspace_id,
                actor=user_actor(member.user, request),
                **form.cleaned_data,
            )
        except LimitReached as error:
            form.add_error("name", error.message)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{base.name} created. Add its first sources.")
            return redirect("dashboard:knowledge_base", member.workspace.slug, base.id)
    return _render_list(request, member, form, status=422)


@workspace_page(Permission.VIEW)
def knowledge_settings(
    request: HttpRequest, member: Member, knowledge_base_id: str
) -> HttpResponse:
    """A knowledge base's name, embedding model, chatbots and deletion."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    return _render_settings(request, member, base, BaseNameForm(initial={"name": base.name}))


@workspace_action(Permission.EDIT_KNOWLEDGE)
def rename(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """Rename a knowledge base."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    form = BaseNameForm(request.POST)
    if not form.is_valid():
        return _render_settings(request, member, base, form, status=422)
    services.update_knowledge_base(
        base=base, name=form.cleaned_data["name"], actor=user_actor(member.user, request)
    )
    messages.success(request, "Changes saved.")
    return redirect("dashboard:knowledge_settings", member.workspace.slug, base.id)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def change_embedding_model(
    request: HttpRequest, member: Member, knowledge_base_id: str
) -> HttpResponse:
    """Have all chunks embedded by another model in the background, or end such a change."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    form = ChangeModelForm(request.POST, tokens=0)
    if form.is_valid():
        model = form.cleaned_data["embedding_model"]
    elif request.POST.get("embedding_model") == base.embedding_model_id:
        model = base.embedding_model  # it is not offered any more, and stays
    else:
        raise EmbeddingModelNotFound
    services.update_knowledge_base(
        base=base, name=base.name, embedding_model=model, actor=user_actor(member.user, request)
    )
    if model.id == base.embedding_model_id:
        messages.success(request, f"{base.name} keeps {model.name}.")
    else:
        messages.success(request, f"Changing to {model.name} in the background.")
    return redirect("dashboard:knowledge_settings", member.workspace.slug, base.id)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def reindex(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """Fetch and index all sources again. What is indexed is found until then."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    count = reindex_knowledge_base(base=base, actor=user_actor(member.user, request))
    text = f"{count:,} source{'' if count == 1 else 's'} to be indexed again."
    messages.success(request, text)
    return redirect("dashboard:knowledge_base", member.workspace.slug, base.id)


@workspace_action(Permission.DELETE_KNOWLEDGE)
def delete(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """Delete a knowledge base with its sources, if its name was typed."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    slug = member.workspace.slug
    if request.POST.get("name", "").strip() != base.name.strip():
        messages.error(request, f"The name doesn't match. {base.name} was not deleted.")
        return redirect("dashboard:knowledge_settings", slug, base.id)
    services.delete_knowledge_base(base=base, actor=user_actor(member.user, request))
    messages.success(request, f"{base.name} deleted.")
    return redirect("dashboard:knowledge", slug)


def _render_list(
    request: HttpRequest, member: Member, form: NewBaseForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "rows": base_rows(member.workspace_id),
        "form": form,
        "usage": knowledge_usage(member.workspace_id),
        "limits": knowledge_limits(member.workspace_id),
        "may_edit": is_allowed(member.role, Permission.EDIT_KNOWLEDGE),
    }
    return render(request, "dashboard/knowledge/list.html", context, status=status)


def _render_settings(
    request: HttpRequest,
    member: Member,
    base: KnowledgeBase,
    form: BaseNameForm,
    *,
    status: int = 200,
) -> HttpResponse:
    figures = base_figures(base)
    selected = base.next_embedding_model_id or base.embedding_model_id
    model_form = ChangeModelForm(tokens=figures.tokens, initial={"embedding_model": selected})
    context = {
        "base": base,
        "figures": figures,
        "form": form,
        "model_form": model_form,
        "change": model_change(base, chunks=figures.chunks),
        "chatbots": chatbots_by_base(member.workspace_id).get(base.id, []),
        "may_edit": is_allowed(member.role, Permission.EDIT_KNOWLEDGE),
        "may_delete": is_allowed(member.role, Permission.DELETE_KNOWLEDGE),
    }
    return render(request, "dashboard/knowledge/settings.html", context, status=status)
