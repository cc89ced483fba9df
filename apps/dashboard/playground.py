"""The playground: the chat engine for a signed-in member.

Limits, prices and errors are those of the API. The caller is a member instead of an API key, and
the chatbot may be switched off or have unsaved changes.
"""

from collections.abc import Mapping

from apps.chat.engine.access import Access
from apps.chat.engine.admission import admit_and_start
from apps.chat.engine.log import TurnLog
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.start import raise_early_failure
from apps.chatbots.models import Chatbot
from apps.infrastructure.postgres.threads import in_thread
from apps.knowledge.queries import knowledge_bases_of

SOURCE = "playground"
"""The `metadata.source` of its messages, by which lists tell them from those of visitors."""


def parse_form(fields: Mapping[str, str]) -> ParsedRequest:
    """A chat request from the form's `message` and `conversationId`. Raises ValidationError."""
    body = {
        "message": fields.get("message", ""),
        "conversationId": fields.get("conversationId") or None,
        "metadata": {"source": SOURCE},
        "stream": True,
    }
    return parse_request(body, None, key_name="")


async def start_playground_turn(
    chatbot: Chatbot, request: ParsedRequest, *, request_id: str
) -> TurnLog:
    """Start a turn and wait for its first event.

    Raises TooManyRequests, the errors of `start_turn`, or the error of a turn that failed first.
    """
    bases = await in_thread(lambda: tuple(knowledge_bases_of(chatbot)))
    access = Access(chatbot, caller=None, knowledge_bases=bases)
    log, _ = await admit_and_start(access, request, request_id=request_id)
    await raise_early_failure(log)
    return log
