from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import ValidationError

from apps.api_kit.error_format import as_api_error
from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chat.engine.events import TurnFailed
from apps.chat.engine.start import stop_turn as stop_turn
from apps.chat.http import sse
from apps.chat.http.stream_format import encode_stream
from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotFound
from apps.conversations.queries import get_turn
from apps.core.errors import ApiError, ValidationFailed
from apps.core.ids import is_id
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.chatbots import BehaviourForm
from apps.dashboard.playground import parse_form, start_playground_turn
from apps.dashboard.views.chatbots import chatbot_in
from apps.infrastructure.web.middleware import get_request_id
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

View = Callable[..., HttpResponseBase]


def tells_errors(view: View) -> View:
    """An error of the engine as the JSON that an integrator would get."""

    @wraps(view)
    def tell(request: HttpRequest, member: Member, **rest: str) -> HttpResponseBase:
        try:
            return view(request, member, **rest)
        except (ApiError, ValidationError) as exception:
            error = as_api_error(exception)
            note = RefusedRequest.from_error(
                error,
                request_id=get_request_id(request),
                method="POST",
                path=request.path,
                chatbot_id=rest.get("chatbot_id"),
            )
            log_refused_request(member.workspace_id, note)
            return JsonResponse(error.body(), status=error.status, headers=error.headers())

    return tell


@workspace_page(Permission.CHAT)
@require_safe
def playground(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """A real chat with the chatbot, and with one that has changes, side by side."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    context = {
        "chatbot": chatbot,
        "form": BehaviourForm(instance=chatbot, auto_id="change_%s"),
        "origin": request.build_absolute_uri("/")[:-1],
    }
    return render(request, "dashboard/playground.html", context)


@workspace_page(Permission.CHAT)
@require_POST
@tells_errors
def chat(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponseBase:
    """One turn, streamed as the chat endpoint streams it."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    if "changed" in request.POST:
        chatbot = _changed(request, chatbot)
    log = async_to_sync(start_playground_turn)(
        chatbot, parse_form(request.POST.dict()), request_id=get_request_id(request)
    )
    return StreamingHttpResponse(
        encode_stream(log), content_type="text/event-stream; charset=utf-8", headers=sse.HEADERS
    )


@workspace_page(Permission.CHAT)
@require_POST
@tells_errors
def stop(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponseBase:
    """Stop the turn that `turnId` names. What was said of it so far is kept and charged."""
    chatbot = chatbot_in(member.workspace_id, chatbot_id)
    turn_id = request.POST.get("turnId", "")
    if not is_id(turn_id):  # PostgreSQL would break over a NUL rather than find nothing
        raise TurnNotFound
    turn = get_turn(member.workspace_id, turn_id, chatbot_id=chatbot.id)
    outcome = async_to_sync(stop_turn)(turn)
    if isinstance(outcome, TurnFailed):
        raise outcome.error
    return JsonResponse({"success": True, "data": outcome.data()})


def _changed(request: HttpRequest, chatbot: Chatbot) -> Chatbot:
    """The chatbot as the form would make it, unsaved. Raises ValidationFailed."""
    form = BehaviourForm(request.POST, instance=chatbot)
    if not form.is_valid():
        raise ValidationFailed(
            {name: [str(e) for e in errors] for name, errors in form.errors.items()}
        )
    changed: Chatbot = form.instance
    return changed
