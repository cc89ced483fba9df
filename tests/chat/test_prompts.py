from __future__ import annotations

import pytest

from apps.chat.engine.prompts import (
    LEAD_CAPTURE_INSTRUCTION,
    build_model_request,
    build_prompt,
    max_cost,
)
from apps.chatbots.models import Chatbot, LanguageModel
from apps.core.errors import ValidationFailed
from apps.llm.tokens import estimate_prompt_tokens, max_prompt_tokens
from apps.llm.types import ChatMessage, Timeouts

HISTORY = [
    ChatMessage("user", "first"),
    ChatMessage("assistant", "one"),
    ChatMessage("user", "second"),
    ChatMessage("assistant", "two"),
]
QUESTION = ChatMessage("user", "third")


def make_bot(
    max_prompt: int = 10_000, *, system_prompt: str = "", lead_capture: str = "off", **prices: int
) -> Chatbot:
    """A chatbot whose prompt may have this many tokens."""
    model = LanguageModel(
        provider="sandbox",
        provider_model="sandbox/echo",
        context_tokens=max_prompt + 100,
        **prices,
    )
    return Chatbot(
        language_model=model,
        system_prompt=system_prompt,
        lead_capture=lead_capture,
        max_reply_tokens=100,
        temperature=0.5,
    )


def test_prompt_is_system_history_and_question() -> None:
    messages = build_prompt(make_bot(system_prompt="Be kind."), HISTORY, "third")
    assert messages == (ChatMessage("system", "Be kind."), *HISTORY, QUESTION)


def test_prompt_without_a_system_prompt_has_no_system_message() -> None:
    assert build_prompt(make_bot(), [], "third") == (QUESTION,)


def test_prompt_that_fits_exactly_is_complete() -> None:
    max_prompt = estimate_prompt_tokens([*HISTORY, QUESTION])
    assert build_prompt(make_bot(max_prompt), HISTORY, "third") == (*HISTORY, QUESTION)


def test_prompt_one_token_too_long_loses_its_oldest_exchange() -> None:
    max_prompt = estimate_prompt_tokens([*HISTORY, QUESTION]) - 1
    assert build_prompt(make_bot(max_prompt), HISTORY, "third") == (*HISTORY[2:], QUESTION)


def test_history_is_cut_in_whole_exchanges() -> None:
    max_prompt = estimate_prompt_tokens([*HISTORY[3:], QUESTION])
    assert build_prompt(make_bot(max_prompt), HISTORY, "third") == (QUESTION,)


def test_system_prompt_counts_against_the_context() -> None:
    system = ChatMessage("system", "Be kind.")
    max_prompt = estimate_prompt_tokens([system, *HISTORY, QUESTION]) - 1
    messages = build_prompt(make_bot(max_prompt, system_prompt="Be kind."), HISTORY, "third")
    assert messages == (system, *HISTORY[2:], QUESTION)


def test_question_is_sent_even_if_it_leaves_no_room_for_the_reply() -> None:
    assert build_prompt(make_bot(0), HISTORY, "third") == (QUESTION,)


@pytest.mark.parametrize(
    ("system_prompt", "history", "text"),
    [
        pytest.param("", [], "x" * 4000, id="question"),
        pytest.param("x" * 4000, [], "third", id="system-prompt"),
        pytest.param("", [ChatMessage("system", "語" * 3000)], "third", id="system-message"),
        pytest.param(
            "", [ChatMessage("system", "x" * 400) for _ in range(10)], "third", id="many-messages"
        ),
        pytest.param("x" * 2000, [ChatMessage("system", "x" * 1000)], "x" * 1000, id="together"),
    ],
)
def test_prompt_that_cannot_be_cut_to_the_context_is_refused(
    system_prompt: str, history: list[ChatMessage], text: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        build_prompt(make_bot(800, system_prompt=system_prompt), history, text)
    (problem,) = refused.value.details["message"]
    assert "language model can read 900." in problem


@pytest.mark.parametrize("text", ["é" * 3500, "語" * 2600, "word " * 690, "x" * 3600])
def test_prompt_that_may_fit_the_context_is_sent(text: str) -> None:
    assert build_prompt(make_bot(800), HISTORY, text) == (ChatMessage("user", text),)


def test_exchanges_before_a_cut_one_are_cut_too() -> None:
    long = [HISTORY[0], HISTORY[1], ChatMessage("user", "x" * 4000), HISTORY[3]]
    assert build_prompt(make_bot(500), long, "third") == (QUESTION,)


def test_max_cost_is_the_price_of_the_longest_reply() -> None:
    chatbot = make_bot(credits_per_reply=3, credits_per_1k_input=0, credits_per_1k_output=1000)
    assert max_cost(chatbot, [QUESTION]) == 103


def test_max_cost_counts_every_byte_of_the_prompt() -> None:
    chatbot = make_bot(credits_per_reply=0, credits_per_1k_input=1000, credits_per_1k_output=0)
    assert max_cost(chatbot, [QUESTION]) == max_prompt_tokens([QUESTION])


def test_max_cost_counts_a_chinese_character_as_one_and_a_half_tokens() -> None:
    chatbot = make_bot(credits_per_reply=0, credits_per_1k_input=1000, credits_per_1k_output=0)
    ours = max_cost(chatbot, [ChatMessage("user", "语言模型" * 100)])
    assert ours == max_cost(chatbot, [ChatMessage("user", "x" * 600)])


def test_max_cost_is_limited_by_the_context_size() -> None:
    chatbot = make_bot(900, credits_per_reply=0, credits_per_1k_input=1000, credits_per_1k_output=0)
    assert max_cost(chatbot, [ChatMessage("user", "x" * 30_000)]) == 1000


def test_max_cost_of_a_free_model_is_0() -> None:
    chatbot = make_bot(credits_per_reply=0, credits_per_1k_input=0, credits_per_1k_output=0)
    assert max_cost(chatbot, [QUESTION]) == 0


@pytest.mark.parametrize(("tokens", "credits"), [(1, 1), (1000, 1), (1001, 2)])
def test_max_cost_is_rounded_up_to_whole_credits(tokens: int, credits: int) -> None:
    chatbot = make_bot(credits_per_reply=0, credits_per_1k_input=0, credits_per_1k_output=1)
    chatbot.max_reply_tokens = tokens
    assert max_cost(chatbot, []) == credits


def test_model_request_has_chatbot_and_model_settings() -> None:
    request = build_model_request(make_bot(), (QUESTION,))
    assert (request.provider, request.model) == ("sandbox", "sandbox/echo")
    assert (request.temperature, request.max_tokens, request.messages) == (0.5, 100, (QUESTION,))
    assert request.timeouts == Timeouts(
        connect=5.0, first_token=3.0, between_tokens=30.0, total=300.0
    )


@pytest.mark.parametrize("setting", ["off", "detect"])
def test_prompt_does_not_request_contacts_by_default(setting: str) -> None:
    chatbot = make_bot(system_prompt="Be kind.", lead_capture=setting)
    assert build_prompt(chatbot, [], "third") == (ChatMessage("system", "Be kind."), QUESTION)


@pytest.mark.parametrize(
    ("own", "system"),
    [("Be kind.", f"Be kind.\n\n{LEAD_CAPTURE_INSTRUCTION}"), ("", LEAD_CAPTURE_INSTRUCTION)],
)
def test_prompt_requests_contacts_after_the_own_prompt(own: str, system: str) -> None:
    chatbot = make_bot(system_prompt=own, lead_capture="ask")
    assert build_prompt(chatbot, [], "third") == (ChatMessage("system", system), QUESTION)
