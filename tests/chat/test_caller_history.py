"""A history sent by the caller replaces the stored conversation in the prompt."""

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


def make_bot(max_prompt: int = 10_000) -> Chatbot:
    """A chatbot whose prompt may have this many tokens."""
    model = LanguageModel(context_tokens=max_prompt + 100)
    return Chatbot(id="bot", language_model=model, system_prompt=OWN.content, max_reply_tokens=100)


def test_chatbot_prompt_precedes_caller_system_messages() -> None:
    prompt = build_prompt(make_bot(), [*EXCHANGE, CALLERS], "second")
    assert prompt == (OWN, CALLERS, *EXCHANGE, QUESTION)


def test_greeting_is_kept_if_it_fits() -> None:
    prompt = build_prompt(make_bot(), [GREETING, *EXCHANGE], "second")
    assert prompt == (OWN, GREETING, *EXCHANGE, QUESTION)


def test_oldest_messages_are_cut_before_system_messages() -> None:
    history = [CALLERS, GREETING, *EXCHANGE]
    max_prompt = estimate_prompt_tokens([OWN, *history, QUESTION]) - 1
    assert build_prompt(make_bot(max_prompt), history, "second") == (
        OWN,
        CALLERS,
        *EXCHANGE,
        QUESTION,
    )
    assert build_prompt(make_bot(0), history, "second") == (OWN, CALLERS, QUESTION)


def test_request_digest_covers_the_history() -> None:
    request = ParsedRequest("second")
    histories = (None, (), EXCHANGE, (GREETING,))
    digests = {replace(request, history=history).digest("bot") for history in histories}
    assert len(digests) == 4
