"""Search for the passages of a turn, within a time limit of its own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from apps.chat.engine.access import Access
from apps.chat.engine.knowledge.passages import fit_passages, passages_budget, with_passages
from apps.chatbots.models import Chatbot, KnowledgeMode
from apps.conversations.citations import AnswerSource
from apps.conversations.models import Knowledge, quote
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.search.results import Passage
from apps.knowledge.search.services import search_in_turn
from apps.llm.errors import ProviderError
from apps.llm.types import ChatMessage
from apps.turns.citations import Retrieved, passage_title

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The search of one turn, for the question that is the last of its messages.

    `context`: the question before it, without which a short one may not be understood.
    """

    chatbot: Chatbot
    knowledge_bases: Sequence[KnowledgeBase]
    messages: tuple[ChatMessage, ...]
    context: str = ""

    @property
    def is_required(self) -> bool:
        """Whether the chatbot answers from knowledge alone."""
        return self.chatbot.knowledge_mode == KnowledgeMode.ONLY

    @property
    def not_found_reply(self) -> str:
        """The answer of such a chatbot when nothing is found."""
        return self.chatbot.knowledge_not_found_reply

    async def run(self) -> Retrieved:
        """Search for passages. One that fails or takes too long finds them `unavailable`."""
        started_at = time.monotonic()
        passages = await self._search()
        knowledge = Knowledge.FOUND if passages else Knowledge.NOTHING_FOUND
        if passages is None:
            knowledge = Knowledge.UNAVAILABLE
        milliseconds = round((time.monotonic() - started_at) * 1000)
        return Retrieved(knowledge, milliseconds, passages or ())

    async def _search(self) -> Sequence[Passage] | None:
        """The passages to show; None if they are not to be had."""
        budget = passages_budget(self.chatbot, self.messages)
        try:
            async with asyncio.timeout(settings.KNOWLEDGE_RETRIEVAL_SECONDS):
                result = await search_in_turn(
                    self.knowledge_bases,
                    self.messages[-1].content,
                    context=self.context,
                    max_passages=self.chatbot.knowledge_passages,
                    max_tokens=budget,
                )
        except (ProviderError, TimeoutError, *DATABASE_UNAVAILABLE) as error:
            log.warning("retrieval_unavailable", reason=type(error).__name__)
            return None
        except Exception:
            log.exception("retrieval_failed")
            return None
        return fit_passages(result.passages, budget) if result.is_found else ()

    def prompt(self, retrieved: Retrieved) -> tuple[ChatMessage, ...]:
        """The messages for the model, with what was found."""
        if not retrieved.passages:
            return self.messages
        return with_passages(self.messages, retrieved.passages, self.chatbot)


def plan_retrieval(access: Access, messages: tuple[ChatMessage, ...]) -> Retrieval:
    """The search of a turn with this prompt."""
    *earlier, _ = messages
    questions = (message.content for message in reversed(earlier) if message.role == "user")
    return Retrieval(access.chatbot, access.knowledge_bases, messages, context=next(questions, ""))


def answer_sources(retrieved: Retrieved) -> tuple[AnswerSource, ...]:
    """The passages as followers are told of them."""
    return tuple(
        AnswerSource(
            number=number,
            source_id=passage.source_id,
            title=passage_title(passage),
            url=passage.url,
            page=passage.page,
            quote=quote(passage.text),
        )
        for number, passage in enumerate(retrieved.passages, 1)
    )
