from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.audit.services import user_actor
from apps.chatbots.models import Chatbot
from apps.chatbots.services import update_chatbot
from apps.dashboard.access import get_chatbot_or_404, workspace_action, workspace_page
from apps.dashboard.forms.knowledge import ChatbotKnowledgeForm
from apps.dashboard.presenters.knowledge import base_rows
from apps.dashboard.price_text import format_credits
from apps.knowledge.queries import knowledge_bases_of
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@workspace_page(Permission.VIEW)
def chatbot_knowledge(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """What a chatbot answers from, read-only without the permission to edit."""
    return _render(request, member, get_chatbot_or_404(member, chatbot_id))


@workspace_action(Permission.EDIT_CHATBOTS)
def save(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Attach knowledge bases, and save how they are used."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    form = ChatbotKnowledgeForm(request.POST, instance=chatbot)
    if not form.is_valid():
        # Validation changed the instance; the page shows the saved chatbot.
        return _render(request, member, get_chatbot_or_404(member, chatbot_id), form)
    actor = user_actor(member.user, request)
    try:
        with transaction.atomic():  # both or nothing
            set_chatbot_knowledge_bases(
                chatbot=chatbot, base_ids=form.cleaned_data["bases"], actor=actor
            )
            update_chatbot(chatbot=chatbot, actor=actor, changes=form.changes())
    except ValidationError as error:
        form.add_error("bases", " ".join(error.messages))
        return _render(request, member, get_chatbot_or_404(member, chatbot_id), form)
    messages.success(request, "Changes saved.")
    return redirect("dashboard:chatbot_knowledge", member.workspace.slug, chatbot.id)


def _render(
    request: HttpRequest,
    member: Member,
    chatbot: Chatbot,
    invalid_form: ChatbotKnowledgeForm | None = None,
) -> HttpResponse:
    attached = {base.id for base in knowledge_bases_of(chatbot)}
    form = invalid_form or ChatbotKnowledgeForm(instance=chatbot, initial={"bases": attached})
    may_edit = is_allowed(member.role, Permission.EDIT_CHATBOTS)
    if not may_edit:
        for field in form.fields.values():
            field.disabled = True
    chosen = set(form["bases"].value() or ())
    context = {
        "chatbot": chatbot,
        "form": form,
        "rows": [(row, row.base.id in chosen) for row in base_rows(member.workspace_id)],
        "may_edit": may_edit,
        "cost": describe_knowledge_cost(chatbot),
    }
    return render(
        request, "dashboard/knowledge/chatbot.html", context, status=422 if invalid_form else 200
    )


def describe_knowledge_cost(chatbot: Chatbot) -> str:
    """What the passages of one question cost at most, with the chatbot's model."""
    model = chatbot.language_model
    if not model.price.per_1k_input:
        return f"{model.name} has no price for input, so passages cost nothing."
    most = -(-chatbot.knowledge_tokens * model.price.per_1k_input // 1000)
    return (
        f"With {model.name}, {chatbot.knowledge_tokens:,} tokens of passages cost at most "
        f"{format_credits(most)} a response. They are reserved when a question comes, and what "
        "is not used is given back."
    )
