"""Why a request was refused, as the request inspector says it."""

from __future__ import annotations

from dataclasses import replace

from apps.api_kit.refusal_log import RefusedRequest
from apps.chat.engine.chatbot_rate_limit import refusal
from apps.dashboard.error_explanations import explain
from apps.infrastructure.redis.rate_limit import Window

FULL = Window(limit=60, remaining=0, reset=0, retry_after=7, admitted=False)


def explanation_of(window: Window) -> str:
    refused = RefusedRequest.from_error(
        refusal(window), request_id="r", method="POST", path="/", chatbot_id="c", window=window
    )
    return explain("RATE_LIMIT_EXCEEDED", refused)


def test_limit_of_the_chatbot_can_be_raised() -> None:
    text = explanation_of(FULL)
    assert text.startswith("The chatbot's rate limit was reached: 60 of 60 requests used")
    assert text.endswith("Retry-After was 7 s. Wait for the limit to reset, or raise it.")


def test_limit_of_the_workspace_is_named() -> None:
    for number, limit in ((1, "turns in a minute"), (2, "characters in an hour")):
        text = explanation_of(replace(FULL, at_ceiling=number))
        assert limit in text
        assert text.endswith("its limit. Please wait. Ask us if you need more.")
