from __future__ import annotations

import pytest

from apps.chat.engine.prompts import (
    LEAD_CAPTURE_INSTRUCTION,
    build_model_request,
    build_prompt,
    max_cost,
)
from apps.chatbots.models import Chatbot, LanguageModel
from apps.llm.tokens import estimate_prompt_tokens, max_prompt_tokens
from apps.llm.types import ChatMessage, Timeouts

SHOWN = [
    ChatMessage("user", "first"),
    ChatMessage("assistant", "one"),
    ChatMessage("user", "second"),
    ChatMessage("assistant", "two"),
]
QUESTION = ChatMessage("user", "third")


def bot(
    room: int = 10_000, *, system_prompt: str = "", lead_capture: str = "off", **prices: int
) -> Chatbot:
    """A chatbot whose model has this many tokens of context besides the reply."""
    model = LanguageModel(
        provider="sandbox",
        provider_model="sandbox/echo",
        context_tokens=room + 100,
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
    messages = build_prompt(bot(system_prompt="Be kind."), SHOWN, "third")
    assert messages == (ChatMessage("system", "Be kind."), *SHOWN, QUESTION)


def test_prompt_without_a_system_prompt_has_no_system_message() -> None:
    assert build_prompt(bot(), [], "third") == (QUESTION,)


def test_prompt_that_fits_exactly_is_whole() -> None:
    room = estimate_prompt_tokens([*SHOWN, QUESTION])
    assert build_prompt(bot(room), SHOWN, "third") == (*SHOWN, QUESTION)


def test_prompt_one_token_too_long_loses_its_oldest_exchange() -> None:
    room = estimate_prompt_tokens([*SHOWN, QUESTION]) - 1
    assert build_prompt(bot(room), SHOWN, "third") == (*SHOWN[2:], QUESTION)


def test_history_is_cut_in_whole_exchanges() -> None:
    room = estimate_prompt_tokens([*SHOWN[3:], QUESTION])
    assert build_prompt(bot(room), SHOWN, "third") == (QUESTION,)


def test_system_prompt_takes_its_part_of_the_room() -> None:
    system = ChatMessage("system", "Be kind.")
    room = estimate_prompt_tokens([system, *SHOWN, QUESTION]) - 1
    messages = build_prompt(bot(room, system_prompt="Be kind."), SHOWN, "third")
    assert messages == (system, *SHOWN[2:], QUESTION)


def test_question_that_does_not_fit_is_still_asked() -> None:
    assert build_prompt(bot(0), SHOWN, "third") == (QUESTION,)


def test_old_exchange_is_not_shown_across_one_that_is_too_long() -> None:
    long = [SHOWN[0], SHOWN[1], ChatMessage("user", "x" * 4000), SHOWN[3]]
    assert build_prompt(bot(500), long, "third") == (QUESTION,)


def test_most_it_can_cost_is_the_price_of_the_longest_reply() -> None:
    chatbot = bot(credits_per_reply=3, credits_per_1k_input=0, credits_per_1k_output=1000)
    assert max_cost(chatbot, [QUESTION]) == 103


def test_most_it_can_cost_counts_every_byte_of_the_prompt() -> None:
    chatbot = bot(credits_per_reply=0, credits_per_1k_input=1000, credits_per_1k_output=0)
    assert max_cost(chatbot, [QUESTION]) == max_prompt_tokens([QUESTION])


def test_most_it_can_cost_ends_at_the_models_context() -> None:
    chatbot = bot(900, credits_per_reply=0, credits_per_1k_input=1000, credits_per_1k_output=0)
    assert max_cost(chatbot, [ChatMessage("user", "x" * 30_000)]) == 1000


def test_free_model_holds_nothing() -> None:
    chatbot = bot(credits_per_reply=0, credits_per_1k_input=0, credits_per_1k_output=0)
    assert max_cost(chatbot, [QUESTION]) == 0


@pytest.mark.parametrize(("tokens", "credits"), [(1, 1), (1000, 1), (1001, 2)])
def test_most_it_can_cost_is_rounded_up_to_whole_credits(tokens: int, credits: int) -> None:
    chatbot = bot(credits_per_reply=0, credits_per_1k_input=0, credits_per_1k_output=1)
    chatbot.max_reply_tokens = tokens
    assert max_cost(chatbot, []) == credits


def test_model_request_carries_the_settings_of_chatbot_and_model() -> None:
    request = build_model_request(bot(), (QUESTION,))
    assert (request.provider, request.model) == ("sandbox", "sandbox/echo")
    assert (request.temperature, request.max_tokens, request.messages) == (0.5, 100, (QUESTION,))
    assert request.timeouts == Timeouts(
        connect=5.0, first_token=3.0, between_tokens=30.0, total=300.0
    )


@pytest.mark.parametrize("setting", ["off", "detect"])
def test_model_is_not_told_to_ask_for_details_unless_it_shall(setting: str) -> None:
    chatbot = bot(system_prompt="Be kind.", lead_capture=setting)
    assert build_prompt(chatbot, [], "third") == (ChatMessage("system", "Be kind."), QUESTION)


@pytest.mark.parametrize(
    ("own", "system"),
    [("Be kind.", f"Be kind.\n\n{LEAD_CAPTURE_INSTRUCTION}"), ("", LEAD_CAPTURE_INSTRUCTION)],
)
def test_model_is_told_to_ask_for_details_after_the_chatbots_own_prompt(
    own: str, system: str
) -> None:
    chatbot = bot(system_prompt=own, lead_capture="ask")
    assert build_prompt(chatbot, [], "third") == (ChatMessage("system", system), QUESTION)
