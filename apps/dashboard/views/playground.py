from collections.abc import Callable
from functools import wraps

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from rest_framework.exceptions import ValidationError

from apps.api_kit.error_format import as_api_error
from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chat.engine.start import stop_turn
from apps.chat.http import sse
from apps.chat.http.stream_format import encode_stream
from apps.chatbots.models import Chatbot
from apps.conversations.queries import get_turn
from apps.core.errors import ApiError, ValidationFailed
from apps.dashboard.access import clean_id, get_chatbot_or_404, workspace_action, workspace_page
from apps.dashboard.forms.chatbots import BehaviourForm
from apps.dashboard.playground import parse_form, start_playground_turn
from apps.infrastructure.web.middleware import get_request_id
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

View = Callable[..., HttpResponseBase]


def json_errors(view: View) -> View:
    """Return errors as JSON, like the API, and log them for the request inspector."""

    @wraps(view)
    def wrapped(request: HttpRequest, member: Member, **kwargs: str) -> HttpResponseBase:
        try:
            return view(request, member, **kwargs)
        except (ApiError, ValidationError) as exception:
            error = as_api_error(exception)
            refused = RefusedRequest.from_error(
                error,
                request_id=get_request_id(request),
                method="POST",
                path=request.path,
                chatbot_id=kwargs.get("chatbot_id"),
            )
            log_refused_request(member.workspace_id, refused)
            return JsonResponse(error.body(), status=error.status, headers=error.headers())

    return wrapped


@workspace_page(Permission.CHAT)
def playground(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponse:
    """Chat with the chatbot, side by side with a copy that has unsaved changes."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    context = {
        "chatbot": chatbot,
        "form": BehaviourForm(instance=chatbot, auto_id="change_%s"),
        "origin": request.build_absolute_uri("/")[:-1],
    }
    return render(request, "dashboard/playground.html", context)


@workspace_action(Permission.CHAT)
@json_errors
def chat(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponseBase:
    """Send a message and stream the turn, like the chat endpoint."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    if "changed" in request.POST:
        chatbot = _with_changes(request, chatbot)
    log = async_to_sync(start_playground_turn)(
        chatbot, parse_form(request.POST.dict()), request_id=get_request_id(request)
    )
    return StreamingHttpResponse(
        encode_stream(log), content_type="text/event-stream; charset=utf-8", headers=sse.HEADERS
    )


@workspace_action(Permission.CHAT)
@json_errors
def stop(request: HttpRequest, member: Member, chatbot_id: str) -> HttpResponseBase:
    """Stop the turn `turnId`. Its text so far is saved and charged."""
    chatbot = get_chatbot_or_404(member, chatbot_id)
    turn_id = clean_id(request.POST.get("turnId", ""))
    turn = get_turn(member.workspace_id, turn_id, chatbot_id=chatbot.id)
    ended = async_to_sync(stop_turn)(turn)
    return JsonResponse({"success": True, "data": ended.data()})


def _with_changes(request: HttpRequest, chatbot: Chatbot) -> Chatbot:
    """The chatbot with the form's changes, unsaved. Raises ValidationFailed."""
    form = BehaviourForm(request.POST, instance=chatbot)
    if not form.is_valid():
        raise ValidationFailed(
            {name: [str(e) for e in errors] for name, errors in form.errors.items()}
        )
    changed: Chatbot = form.instance
    return changed
