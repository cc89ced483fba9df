"""Streams of providers that are called through litellm, in their own formats."""

from __future__ import annotations

import json
from typing import Any

from tests.llm.fake_provider import sse_event


def anthropic_event(kind: str, **fields: Any) -> bytes:
    """An event of Anthropic's messages API."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _anthropic_start() -> bytes:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude",
        "stop_reason": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }
    return anthropic_event("message_start", message=message)


def _anthropic_block(index: int, *texts: str, kind: str = "text") -> bytes:
    block = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
    start = anthropic_event("content_block_start", index=index, content_block=block)
    deltas = (
        anthropic_event(
            "content_block_delta", index=index, delta={"type": f"{kind}_delta", kind: text}
        )
        for text in texts
    )
    return start + b"".join(deltas) + anthropic_event("content_block_stop", index=index)


def _anthropic_end(reason: str, tokens: int) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    end = anthropic_event("message_delta", delta=delta, usage={"output_tokens": tokens})
    return end + anthropic_event("message_stop")


def _gemini(text: str = "", reason: str = "", *, thought: bool = False) -> bytes:
    parts = [{"text": text, **({"thought": True} if thought else {})}]
    candidate: dict[str, Any] = {"index": 0}
    if text:
        candidate["content"] = {"role": "model", "parts": parts}
    if reason:
        candidate["finishReason"] = reason
    counts = {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 17}
    return sse_event({"candidates": [candidate], "usageMetadata": counts})


_THINKING = _anthropic_start() + _anthropic_block(0, "Hm", " so", kind="thinking")
_HELLO = _anthropic_start() + _anthropic_block(0, "Hello", " world")
_OVERLOADED = anthropic_event("error", error={"type": "overloaded_error", "message": "Overloaded"})
_BLOCKED = {"blockReason": "PROHIBITED_CONTENT"}

ANTHROPIC: dict[str, tuple[bytes, dict[str, Any]]] = {
    "plain": (
        _HELLO + anthropic_event("ping") + _anthropic_end("end_turn", 5),
        {"text": "Hello world", "finish": "stop", "usage": [12, 5]},
    ),
    "thinking": (
        _THINKING + _anthropic_block(1, "Hello") + _anthropic_end("end_turn", 50),
        {"text": "Hello", "finish": "stop", "usage": [12, 50]},
    ),
    "limit while thinking": (
        _THINKING + _anthropic_end("max_tokens", 50),
        {"text": "", "finish": "length", "usage": [12, 50]},
    ),
    "refusal": (
        _HELLO + _anthropic_end("refusal", 5),
        {"text": "Hello world", "finish": "content_filter", "usage": [12, 5]},
    ),
    "overloaded": (_OVERLOADED, {"text": "", "error": "unavailable", "requests": 3}),
    "overloaded midway": (_HELLO + _OVERLOADED, {"text": "Hello world", "error": "unavailable"}),
    "cut": (_HELLO, {"text": "Hello world", "error": "failed"}),
    "cut while thinking": (_THINKING, {"text": "", "error": "failed"}),
}
GEMINI: dict[str, tuple[bytes, dict[str, Any]]] = {
    "plain": (
        _gemini("Hello there,") + _gemini(" you", "STOP"),
        {"text": "Hello there, you", "finish": "stop", "usage": [12, 5]},
    ),
    "thought": (
        _gemini("Hm so", thought=True) + _gemini("Hello", "STOP"),
        {"text": "Hello", "finish": "stop", "usage": [12, 5]},
    ),
    "safety": (
        _gemini("Hello") + _gemini(reason="SAFETY"),
        {"text": "Hello", "finish": "content_filter", "usage": [12, 5]},
    ),
    "limit": (
        _gemini("Hello", "MAX_TOKENS"),
        {"text": "Hello", "finish": "length", "usage": [12, 5]},
    ),
    "blocked": (
        sse_event({"promptFeedback": _BLOCKED, "usageMetadata": {"promptTokenCount": 12}}),
        {"text": "", "finish": "content_filter", "usage": [12, 0]},
    ),
    "busy": (
        sse_event({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}),
        {"text": "", "error": "unavailable", "requests": 3},
    ),
}
"""Name → the body, and the outcome as in `corpus_files`."""
