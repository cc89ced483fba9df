"""Understand a chunk of an OpenAI-compatible server: a JSON object to model events. Does no I/O."""

import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

from apps.llm.error_mapping import error_from_report
from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.provider_codes import finish_meaning
from apps.llm.types import Finish, ModelEvent, ModelRequest, ReasoningDelta, TextDelta, UsageReport

Chunk = dict[str, Any]

_REASONING_FIELDS = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "reasoning_text",
    "thinking",
    "thinking_blocks",
)
_REASONING_PARTS = ("thinking", "reasoning", "redacted_thinking")
_ERROR_FIELDS = ("errors", "detail", "details", "message", "code", "error_code", "error_msg")
_NOTHING = (b"null", b"[]", b'""')
_MAX_DIGITS = 1000
_PINGS = ("ping", "heartbeat", "keepalive", "keep_alive", "keep-alive")


def parse_chunk(request: ModelRequest, payload: bytes) -> Chunk:
    """Parse the data of an event. Raises: ProviderFailed."""
    try:
        chunk = orjson.loads(payload)
        if type(chunk) is dict:  # nearly every chunk
            return chunk
    except ValueError:
        pass  # `parse_json` understands more
    unusual = parse_json(payload)
    if isinstance(unusual, dict):
        return unusual
    if payload.strip() in _NOTHING:
        return {}
    raise ProviderFailed(f"{request.model}: the provider sent what is no JSON object")


def parse_json(payload: bytes) -> object:
    """Parse JSON; None for what is none. A list stands for its first object: Gemini sends its
    errors so."""
    try:
        parsed = orjson.loads(payload)
    except ValueError:  # perhaps only half a surrogate pair, or a number that JSON does not know
        try:
            parsed = json.loads(payload.decode("utf-8-sig", "replace"), parse_int=_parse_int)
        except (ValueError, RecursionError):
            return None
    return parsed[0] if isinstance(parsed, list) and parsed else parsed


def _parse_int(digits: str) -> float:
    """An integer, or infinity for one that Python refuses to read. Neither is then a count."""
    return int(digits) if len(digits) < _MAX_DIGITS else math.inf


def text_only(chunk: Chunk) -> str | None:
    """The text of a chunk that contains nothing else, which is the form of nearly every chunk."""
    try:
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        text = delta["content"]
        if choice.get("finish_reason"):
            return None
        if len(delta) > 1 and (delta.get("reasoning_content") or delta.get("reasoning")):
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if type(text) is not str or chunk.get("usage") or "error" in chunk:
        return None
    return text


def chunk_events(request: ModelRequest, chunk: Chunk) -> Iterator[ModelEvent]:
    """The events of a chunk, or of a whole answer. Raises: ProviderError, when it reports one.

    What has no choices and no usage is an error report, unless it is plainly something else.
    """
    choice: object = None
    if isinstance(choices := chunk.get("choices"), list) and any(choices):
        choice = _our_choice([each for each in choices if each is not None])
        if not isinstance(choice, dict):
            raise ProviderFailed(f"{request.model}: the provider sent what is no choice")
        yield from _choice_events(request, choice, chunk)
    usage = _parse_usage(chunk.get("usage")) or _nested_usage(choice, chunk.get("x_groq"))
    if usage:
        yield usage
    if chunk.get("error") or not (choice or usage or _is_harmless(chunk)):
        raise error_from_report(request, chunk)


def is_whole_answer(chunk: Chunk) -> bool:
    """Whether a JSON object is a whole answer, rather than a chunk of one."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return False
    return "delta" not in choices[0]


def _our_choice(choices: list[Any]) -> object:
    """The choice that we asked for: one choice is one choice, whatever its index."""
    if len(choices) == 1:
        return choices[0]
    of_index_0 = (each for each in choices if isinstance(each, dict) and not each.get("index"))
    return next(of_index_0, choices[0])


def _choice_events(
    request: ModelRequest, choice: dict[str, Any], chunk: Chunk
) -> Iterator[ModelEvent]:
    message = choice.get("delta")
    if message is None:
        message = choice.get("message")
    if not isinstance(message, dict):
        message = {"content": message if isinstance(message, str) else choice.get("text")}
    text, reasoning = split_content(message.get("content"))
    text = text or _plain_text(message.get("refusal"))
    for name in _REASONING_FIELDS:
        if reasoning:
            break
        reasoning = _plain_text(message.get(name))
    if reasoning:
        yield ReasoningDelta(reasoning)
    if text:
        yield TextDelta(text, 0 if reasoning else 1)
    for report in (chunk, choice, message):
        if report.get("error"):
            raise error_from_report(request, report)
    yield from finish_events(request, choice.get("finish_reason"))


def finish_events(request: ModelRequest, reason: object) -> Iterator[Finish]:
    """The event of a finish reason, if it is one. Raises: ProviderError for a failure's."""
    match finish_meaning(reason):
        case "unfinished":
            return
        case "failed":
            raise ProviderFailed(
                f"{request.model}: the provider gave up ({reason})", retryable=True
            )
        case "busy":
            detail = f"{request.model}: the provider gave up ({reason})"
            raise ProviderUnavailable(detail, retryable=True)
        case meaning:
            yield Finish(meaning)


def split_content(content: object) -> tuple[str, str]:
    """Return the text and the reasoning of a content: a string, null, or a list of typed parts."""
    if isinstance(content, str):
        return content, ""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        is_thought = isinstance(part, dict) and part.get("type") in _REASONING_PARTS
        (thoughts if is_thought else texts).append(_plain_text(part))
    return "".join(texts), "".join(thoughts)


def _plain_text(content: object) -> str:
    """The text of a string, of a part, or of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_plain_text(part) for part in content)
    if isinstance(content, dict):
        named = (content.get(name) for name in ("text", "thinking", "summary", "content"))
        return next((text for each in named if (text := _plain_text(each))), "")
    return ""


def _parse_usage(report: object) -> UsageReport | None:
    if not isinstance(report, dict):
        return None
    prompt = count(report.get("prompt_tokens", report.get("input_tokens")))
    completion = count(report.get("completion_tokens", report.get("output_tokens")))
    if prompt is not None and completion is not None:
        completion += _reasoning_beside(report, prompt, completion)
    return UsageReport(prompt, completion)


def _nested_usage(*places: object) -> UsageReport | None:
    """The usage in a choice (Moonshot), or in a field of the provider's own (Groq)."""
    reports = (_parse_usage(place.get("usage")) for place in places if isinstance(place, dict))
    return next(filter(None, reports), None)


def _reasoning_beside(report: dict[str, Any], prompt: int, completion: int) -> int:
    """The tokens of reasoning that some providers count in the total alone."""
    details = report.get("completion_tokens_details")
    reasoning = count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    total = count(report.get("total_tokens"))
    return reasoning if reasoning and total == prompt + completion + reasoning else 0


def count(value: object) -> int | None:
    """Return a number of tokens; None for what is none. To Python, True is an int."""
    return value if type(value) is int else None


def _is_harmless(chunk: Chunk) -> bool:
    """Whether a chunk without choices and usage reports no error: a ping, for example."""
    kind = chunk.get("object")
    is_chunk = "choices" in chunk or (isinstance(kind, str) and kind.startswith("chat.completion"))
    if is_chunk:
        base = chunk.get("base_resp")
        code = base.get("status_code") if isinstance(base, dict) else 0
        return not code and not any(chunk.get(name) for name in _ERROR_FIELDS)
    return not chunk or any(chunk.get(name) in _PINGS for name in ("type", "object", "event"))
