"""Build the prompt: the system prompt, as much history as fits, and the new message."""

from collections.abc import Sequence
from typing import cast

from django.conf import settings

from apps.chatbots.models import Chatbot, LeadCapture
from apps.core.errors import ValidationFailed
from apps.llm.tokens import (
    ENGLISH_LETTERS_PER_TOKEN,
    estimate_prompt_tokens,
    max_prompt_tokens,
    min_prompt_tokens,
)
from apps.llm.types import ChatMessage, ModelRequest, ProviderKind, Timeouts

LEAD_CAPTURE_INSTRUCTION = (
    "At a natural moment, ask the user once for their name and their email address or phone number"
    " (with the country code), so that somebody can get back to them. Do not ask before you have"
    " been of help, do not ask for what they have given already, and do not insist."
)


def build_prompt(
    chatbot: Chatbot, history: Sequence[ChatMessage], text: str, *, reserved_tokens: int = 0
) -> tuple[ChatMessage, ...]:
    """The messages for the model: the chatbot's system prompt, the history's system messages, its
    other messages, the question.

    The other messages are cut, oldest exchange first, so that prompt and reply fit the model's
    context by our estimate of their tokens, with `reserved_tokens` left for passages. Raises
    ValidationFailed if the rest is longer than the context: no more than that is held.
    """
    instructions = _instructions(chatbot)
    own = [ChatMessage("system", instructions)] if instructions else []
    system = [*own, *(message for message in history if message.role == "system")]
    earlier = [message for message in history if message.role != "system"]
    question = ChatMessage("user", text)
    context_tokens = chatbot.language_model.context_tokens
    _require_within(context_tokens, [*system, question])
    available_tokens = context_tokens - chatbot.max_reply_tokens - reserved_tokens
    available_tokens -= estimate_prompt_tokens([*system, question])
    return (*system, *_newest_exchanges_within(earlier, available_tokens), question)


def _require_within(context_tokens: int, messages: Sequence[ChatMessage]) -> None:
    """Raise ValidationFailed if the messages are surely longer than the context, or would be if
    they were English."""
    characters = sum(len(message.content) for message in messages)
    if characters <= context_tokens:
        return
    needed_tokens = max(min_prompt_tokens(messages), characters // ENGLISH_LETTERS_PER_TOKEN)
    if needed_tokens > context_tokens:
        problem = (
            f"With the instructions before it, this is about {needed_tokens:,} tokens long. The "
            f"chatbot's language model can read {context_tokens:,}."
        )
        raise ValidationFailed({"message": [problem]})


def _instructions(chatbot: Chatbot) -> str:
    """The chatbot's system prompt, and the instructions that its settings add."""
    asks_for_contact = chatbot.lead_capture == LeadCapture.ASK
    parts = (chatbot.system_prompt, LEAD_CAPTURE_INSTRUCTION if asks_for_contact else "")
    return "\n\n".join(part for part in parts if part)


def _newest_exchanges_within(
    earlier: Sequence[ChatMessage], available_tokens: int
) -> Sequence[ChatMessage]:
    first = len(earlier)
    for at in range(len(earlier) - 1, -1, -1):
        available_tokens -= estimate_prompt_tokens([earlier[at]])
        if available_tokens < 0:
            break
        # The first message of all may be a greeting of the assistant's, without a question.
        if earlier[at].role == "user" or at == 0:
            first = at
    return earlier[first:]


def max_cost(chatbot: Chatbot, messages: Sequence[ChatMessage], *, reserved_tokens: int = 0) -> int:
    """The credits to hold: the price of the most tokens that the prompt can be, with
    `reserved_tokens` for passages, and of a reply of maximum length."""
    model = chatbot.language_model
    return model.price.credits_for(
        input_tokens=min(max_prompt_tokens(messages) + reserved_tokens, model.context_tokens),
        output_tokens=chatbot.max_reply_tokens,
    )


def build_model_request(chatbot: Chatbot, messages: tuple[ChatMessage, ...]) -> ModelRequest:
    """The request to the model."""
    model = chatbot.language_model
    return ModelRequest(
        provider=cast(ProviderKind, model.provider),
        model=model.provider_model,
        messages=messages,
        temperature=chatbot.temperature,
        max_tokens=chatbot.max_reply_tokens,
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        timeouts=Timeouts(
            connect=settings.MODEL_CONNECT_TIMEOUT,
            first_token=settings.MODEL_FIRST_TOKEN_TIMEOUT,
            between_tokens=settings.MODEL_BETWEEN_TOKENS_TIMEOUT,
            total=settings.MODEL_TOTAL_TIMEOUT,
        ),
        supports_streaming=model.supports_streaming,
    )
