"""From what a request shows to what it may use."""

from __future__ import annotations

from django.utils import timezone

from apps.api_keys.queries import authenticate_key, caller_for_key, parse_bearer_token
from apps.api_keys.services import update_last_used
from apps.api_kit.callers import Caller, Scope
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import active_chatbots_for, get_active_chatbot
from apps.core.errors import ApiError
from apps.core.ids import is_id


def authenticate(authorization: str | None, chatbot_id: str) -> tuple[Caller, Chatbot]:
    """The caller of this Authorization header and the chatbot that it may talk to.

    Raises MissingAuthHeader, InvalidApiKey, ScopeMissing or ChatbotNotFound.
    """
    return _get_chatbot(authenticate_key(parse_bearer_token(authorization)), chatbot_id)


def reauthenticate(caller: Caller, chatbot_id: str) -> tuple[Caller, Chatbot]:
    """The same caller and chatbot as they are by now, for one who stays connected.

    Raises InvalidApiKey, ScopeMissing or ChatbotNotFound.
    """
    return _get_chatbot(caller_for_key(caller.api_key_id), chatbot_id)


def list_accessible_chatbots(authorization: str | None) -> list[Chatbot]:
    """All chatbots that the caller of this Authorization header may talk to.

    Raises MissingAuthHeader, InvalidApiKey or ScopeMissing.
    """
    caller = authenticate_key(parse_bearer_token(authorization))
    _require_chat_scope(caller)
    return active_chatbots_for(caller.workspace_id)


def _require_chat_scope(caller: Caller) -> None:
    if caller.is_last_used_outdated(timezone.now()):
        update_last_used(api_key_id=caller.api_key_id)
    caller.require(Scope.CHAT)


def _get_chatbot(caller: Caller, chatbot_id: str) -> tuple[Caller, Chatbot]:
    try:
        _require_chat_scope(caller)
        if not is_id(chatbot_id):  # PostgreSQL would break over a NUL rather than find nothing
            raise ChatbotNotFound
        return caller, get_active_chatbot(caller.workspace_id, chatbot_id)
    except ApiError as refusal:
        refusal.caller = (caller.workspace_id, caller.api_key_id)
        raise
