from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.audit.services import user_actor
from apps.conversations.errors import TurnNotFound
from apps.conversations.models import Turn
from apps.conversations.unanswered.queries import (
    UnansweredQuestion,
    find_unanswered_question,
    unanswered_questions,
)
from apps.conversations.unanswered.services import (
    answer_question,
    attached_bases,
    dismiss_question,
)
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.unanswered import AnswerForm, UnansweredFilterForm
from apps.dashboard.list_pages import paginate_list
from apps.dashboard.presenters.conversations import build_exchanges
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

GONE = "This question has been answered or dismissed."


@require_safe
@workspace_page(Permission.VIEW)
def unanswered(request: HttpRequest, member: Member) -> HttpResponse:
    """The questions that were not answered, newest first."""
    form = UnansweredFilterForm(member.workspace_id, request.GET)
    questions = unanswered_questions(member.workspace_id, **form.filters())
    context = {
        "form": form,
        "page": paginate_list(request, questions),
        "may_answer": is_allowed(member.role, Permission.EDIT_KNOWLEDGE),
        "may_dismiss": is_allowed(member.role, Permission.EDIT_CONVERSATIONS),
    }
    return render(request, "dashboard/unanswered.html", context)


@require_safe
@workspace_page(Permission.EDIT_KNOWLEDGE)
def question(request: HttpRequest, member: Member, turn_id: str) -> HttpResponse:
    """A question with what was answered to it last, and the form for an answer."""
    found = find_unanswered_question(member.workspace_id, turn_id)
    bases = attached_bases(member.workspace_id, found)
    return _render(request, found, AnswerForm(bases, wordings=found.wordings))


def _render(
    request: HttpRequest, question: UnansweredQuestion, form: AnswerForm, *, status: int = 200
) -> HttpResponse:
    turns = Turn.objects.filter(id=question.turn_id)
    context = {
        "question": question,
        "exchange": build_exchanges(list(turns.select_related("api_key")))[0],
        "form": form,
        "has_bases": bool(form.fields["knowledge_base"].choices),  # type: ignore[attr-defined]
    }
    return render(request, "dashboard/unanswered_question.html", context, status=status)


@workspace_action(Permission.EDIT_KNOWLEDGE)
def answer(request: HttpRequest, member: Member, turn_id: str) -> HttpResponse:
    """Add an answer to a knowledge base, and take the question off the list."""
    try:
        found = find_unanswered_question(member.workspace_id, turn_id)
        form = AnswerForm(attached_bases(member.workspace_id, found), data=request.POST)
        if form.is_valid():
            _add_answer(request, member, turn_id, form)
    except TurnNotFound:
        messages.error(request, GONE)
        return redirect("dashboard:unanswered", member.workspace.slug)
    if form.errors:
        return _render(request, found, form, status=422)
    messages.success(request, "Answer added. It is found as soon as it is indexed.")
    return redirect("dashboard:unanswered", member.workspace.slug)


def _add_answer(request: HttpRequest, member: Member, turn_id: str, form: AnswerForm) -> None:
    """Errors of the service are shown on the form."""
    try:
        answer_question(
            workspace_id=member.workspace_id,
            turn_id=turn_id,
            knowledge_base_id=form.cleaned_data["knowledge_base"],
            questions=form.question_lines(),
            answer=form.cleaned_data["answer"],
            actor=user_actor(member.user, request),
        )
    except LimitReached as error:
        form.add_error(None, error.message)
    except ValidationError as error:
        for name, texts in error.message_dict.items():
            form.add_error(name if name in form.fields else None, texts)


@workspace_action(Permission.EDIT_CONVERSATIONS)
def dismiss(request: HttpRequest, member: Member, turn_id: str) -> HttpResponse:
    """Take a question off the list without an answer."""
    try:
        dismiss_question(workspace_id=member.workspace_id, turn_id=turn_id)
        messages.success(request, "Question dismissed.")
    except TurnNotFound:
        messages.error(request, GONE)
    return redirect("dashboard:unanswered", member.workspace.slug)
