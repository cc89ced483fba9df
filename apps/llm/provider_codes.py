"""What providers' finish reasons and error codes mean.

Collected from the documentation and the behaviour of OpenAI, Azure, Anthropic, Gemini, Mistral,
DeepSeek, Cohere, Bedrock, xAI, Groq, OpenRouter, Moonshot (Kimi), Zhipu (GLM), MiniMax, Alibaba
(Qwen), vLLM, TGI, llama.cpp, Ollama and others. Words are compared in lower case, with `_` between
their parts.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

from apps.llm.types import FinishReason

FinishMeaning = FinishReason | Literal["failed", "busy", "unfinished"]
"""What a finish reason means: beside the reasons that an answer can have, "failed" (the answer is
not complete), "busy" (the same, for want of resources) and "unfinished" (more follows)."""

ErrorMeaning = Literal["busy", "no_credit", "content_filter", "too_long"]
"""What an error means. "busy": the same request may well succeed a moment later."""

_Meaning = TypeVar("_Meaning", bound=str)

_FINISH_WORDS: Mapping[FinishMeaning, str] = {
    "length": """
        context_length error_limit length length_limit max_completion_tokens max_length
        max_new_tokens max_output_tokens max_tokens model_context_window_exceeded model_length
        token_limit
    """,
    "content_filter": """
        blocked blocklist content_filter content_filtered content_policy_violation error_toxic
        guardrail_intervened image_safety language moderation model_armor policy_violation
        prohibited_content recitation refusal safety sensitive spii
    """,
    "failed": """
        abort aborted cancelled canceled engine_error error error_finish failed failure
        internal_error malformed_function_call malformed_response malformed_tool_call model_error
        network_error server_error timeout unexpected_tool_call user_cancel
    """,
    "busy": "insufficient_system_resource overloaded rate_limit",
    "unfinished": "null none in_progress",
}
"""All other reasons, such as `end_turn`, `eos` and `tool_calls`, mean "stop"."""

_ERROR_WORDS: Mapping[ErrorMeaning, str] = {
    "busy": """
        api_timeout busy capacity_exceeded deadline_exceeded engine_overloaded
        engine_overloaded_error gateway_timeout insufficient_system_resource internal
        internal_error internal_server_error internalservererror limit_requests
        loading model_loading model_not_ready model_overloaded modelnotready network_error
        overloaded overloaded_error rate_limit rate_limit_error rate_limit_exceeded
        rate_limit_reached rate_limit_reached_error rate_limited ratelimitexceeded requests
        resource_exhausted server_busy server_error server_is_overloaded server_overloaded
        serveroverloaded service_tier_capacity_exceeded service_unavailable
        service_unavailable_error serviceunavailable slow_down system_busy
        temporarily_unavailable throttled throttling throttling_exception throttlingexception
        timeout timeout_error tokens too_many_requests toomanyrequests unavailable
        upstream_error vllm_overloaded
    """,
    "no_credit": """
        account_deactivated arrearage billing_error billing_hard_limit_reached
        billing_not_active credit_balance_too_low credits_exhausted exceeded_current_quota
        exceeded_current_quota_error insufficient_balance insufficient_credits
        insufficient_quota insufficient_user_quota out_of_credits payment_required
    """,
    "content_filter": """
        content_blocked content_filter content_filter_error content_filtered
        content_moderation content_policy content_policy_violation content_policy_violation_error
        content_violation data_inspection_failed datainspectionfailed guardrail_intervened
        input_moderation moderation moderation_blocked policy_violation prohibited_content
        responsible_ai_policy_violation responsibleaipolicyviolation safety safety_violation
        sensitive sensitive_content sensitivecontentdetected
    """,
    "too_long": """
        context_length_exceeded context_window_exceeded exceed_context_size_error
        input_too_long model_max_length_exceeded prompt_too_long request_too_large
        string_above_max_length
    """,
}

_ZHIPU_CODES: Mapping[ErrorMeaning, str] = {
    "busy": "1234 1302 1303 1305 1312",
    "no_credit": "1113 1304 1308 1309",
    "content_filter": "1300 1301",
    "too_long": "1261",
}
"""https://docs.z.ai/api-reference/api-code"""

_MINIMAX_CODES: Mapping[ErrorMeaning, str] = {
    "busy": "1000 1001 1002 1013 1024 1033 1039 1041",
    "no_credit": "1008",
    "content_filter": "1026 1027",
}
"""In `base_resp.status_code`. https://www.minimax.io/platform/document/errorcode"""


def finish_meaning(reason: object) -> FinishMeaning:
    """Return what a finish reason means; what is no reason means "unfinished"."""
    word = _normalise(reason)
    # Gemini has FINISH_REASON_SAFETY, and "content_filter: OTHER" behind OpenAI's API.
    word = word.removeprefix("finish_reason_").partition(":")[0]
    return _FINISH_MEANINGS.get(word, "stop") if word else "unfinished"


def error_meaning(code: object) -> ErrorMeaning | None:
    """Return what a code, type or status in an error means; None if it is in no table."""
    return _ERROR_MEANINGS.get(_normalise(code))


def minimax_error_meaning(code: object) -> ErrorMeaning | None:
    """Return what a `status_code` of MiniMax means."""
    return _MINIMAX_MEANINGS.get(str(code))


def _normalise(word: object) -> str:
    if type(word) is int:
        return str(word)
    return word.strip().lower().replace("-", "_").replace(" ", "_") if type(word) is str else ""


def _by_word(words: Mapping[_Meaning, str]) -> dict[str, _Meaning]:
    return {word: meaning for meaning, text in words.items() for word in text.split()}


_FINISH_MEANINGS = _by_word(_FINISH_WORDS)
_ERROR_MEANINGS = _by_word(_ERROR_WORDS) | _by_word(_ZHIPU_CODES)
_MINIMAX_MEANINGS = _by_word(_MINIMAX_CODES)
