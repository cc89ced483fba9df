"""Authenticate a chat request: from its Authorization header to the caller and the chatbot."""

from dataclasses import dataclass

from django.utils import timezone

from apps.api_keys.queries import authenticate_key, caller_for_key, parse_bearer_token
from apps.api_keys.services import update_last_used
from apps.api_kit.callers import Caller, Scope
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot, KnowledgeMode
from apps.chatbots.queries import active_chatbot, active_chatbots_for
from apps.core.errors import ApiError
from apps.core.ids import is_id
from apps.infrastructure.postgres.rows import first_or_raise
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.queries import attached_knowledge_bases, with_knowledge_base_ids


@dataclass(frozen=True, slots=True)
class Access:
    """A chatbot, and the API key that may talk to it; without a key, a member in the playground.

    `knowledge_bases`: those attached to the chatbot, with their embedding models.

    `cache_version`: the version of `infrastructure.redis.cache_invalidation` at which it was
    looked up; None if it did not come from the auth cache.
    """

    chatbot: Chatbot
    caller: Caller | None
    cache_version: int | None = None
    knowledge_bases: tuple[KnowledgeBase, ...] = ()

    @property
    def uses_knowledge(self) -> bool:
        """Whether the chatbot answers from knowledge bases."""
        return bool(self.knowledge_bases) and self.chatbot.knowledge_mode != KnowledgeMode.OFF

    @property
    def workspace_id(self) -> str:
        return str(self.chatbot.workspace_id)

    @property
    def api_key_id(self) -> str | None:
        return self.caller.api_key_id if self.caller else None


def authenticate(authorization: str | None, chatbot_id: str) -> Access:
    """The caller of this Authorization header and the chatbot that it may talk to.

    Raises MissingAuthHeader, InvalidApiKey, ScopeMissing or ChatbotNotFound.
    """
    return _access(authenticate_key(parse_bearer_token(authorization)), chatbot_id)


def reauthenticate(caller: Caller, chatbot_id: str) -> Access:
    """The same caller and chatbot as they are now, for a connection that stays open.

    Raises InvalidApiKey, ScopeMissing or ChatbotNotFound.
    """
    return _access(caller_for_key(caller.api_key_id), chatbot_id)


def list_accessible_chatbots(authorization: str | None) -> list[Chatbot]:
    """The chatbots that the caller of this Authorization header may talk to.

    Raises MissingAuthHeader, InvalidApiKey or ScopeMissing.
    """
    caller = authenticate_key(parse_bearer_token(authorization))
    _require_chat_scope(caller)
    return active_chatbots_for(caller.workspace_id)


def _require_chat_scope(caller: Caller) -> None:
    if caller.is_last_used_outdated(timezone.now()):
        update_last_used(api_key_id=caller.api_key_id)
    caller.require(Scope.CHAT)


def _access(caller: Caller, chatbot_id: str) -> Access:
    try:
        _require_chat_scope(caller)
        if not is_id(chatbot_id):  # a NUL in it would make PostgreSQL fail instead of find nothing
            raise ChatbotNotFound
        chatbots = with_knowledge_base_ids(active_chatbot(caller.workspace_id, chatbot_id))
        chatbot = first_or_raise(chatbots, ChatbotNotFound)
        return Access(chatbot, caller, knowledge_bases=attached_knowledge_bases(chatbot))
    except ApiError as error:
        error.caller = (caller.workspace_id, caller.api_key_id)
        raise
