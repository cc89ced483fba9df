"""A history that the caller keeps: shown to the model instead of the stored conversation."""

from __future__ import annotations

from dataclasses import replace

from apps.chat.engine.prompts import build_prompt
from apps.chat.engine.request_parsing import ParsedRequest
from apps.chatbots.models import Chatbot, LanguageModel
from apps.llm.tokens import estimate_prompt_tokens
from apps.llm.types import ChatMessage

OWN = ChatMessage("system", "Be kind.")
CALLERS = ChatMessage("system", "Be brief.")
EXCHANGE = (ChatMessage("user", "first"), ChatMessage("assistant", "one"))
GREETING = ChatMessage("assistant", "Welcome")
QUESTION = ChatMessage("user", "second")


def bot(room: int = 10_000) -> Chatbot:
    """A chatbot whose model has this many tokens of context besides the reply."""
    model = LanguageModel(context_tokens=room + 100)
    return Chatbot(id="bot", language_model=model, system_prompt=OWN.content, max_reply_tokens=100)


def test_chatbots_own_prompt_comes_first_then_the_callers_system_messages() -> None:
    shown = build_prompt(bot(), [*EXCHANGE, CALLERS], "second")
    assert shown == (OWN, CALLERS, *EXCHANGE, QUESTION)


def test_greeting_is_shown_when_all_fits() -> None:
    shown = build_prompt(bot(), [GREETING, *EXCHANGE], "second")
    assert shown == (OWN, GREETING, *EXCHANGE, QUESTION)


def test_oldest_is_cut_first_and_system_messages_never() -> None:
    history = [CALLERS, GREETING, *EXCHANGE]
    room = estimate_prompt_tokens([OWN, *history, QUESTION]) - 1
    assert build_prompt(bot(room), history, "second") == (OWN, CALLERS, *EXCHANGE, QUESTION)
    assert build_prompt(bot(0), history, "second") == (OWN, CALLERS, QUESTION)


def test_digest_covers_the_history() -> None:
    request = ParsedRequest("second")
    histories = (None, (), EXCHANGE, (GREETING,))
    digests = {replace(request, history=history).digest("bot") for history in histories}
    assert len(digests) == 4
