"""Take reasoning out of answers that begin with it, however the answer is split."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from apps.llm.think_tags import ThinkTagFilter


def filter_pieces(pieces: Iterable[str]) -> str:
    """Return the answer without its reasoning."""
    tags = ThinkTagFilter()
    return "".join([*(tags.feed(piece) for piece in pieces), tags.flush()])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("<think>Hm.</think>\n\nHello", "Hello", id="think"),
        pytest.param("\n <THINK>Hm.</Think>Hello", "Hello", id="case"),
        pytest.param("[THINK]Hm.[/THINK]Hello", "Hello", id="brackets"),
        pytest.param(
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
            "<|channel|>final<|message|>Hello",
            "Hello",
            id="channels",
        ),
        pytest.param("<think></think>\n<think>Hm.</think> Hello", "Hello", id="several"),
        pytest.param("<think>Hm.<think>So</think>so.</think>Hello", "Hello", id="nested"),
        pytest.param("<think>A <think> tag?</think>Hello <b>", "Hello <b>", id="mentioned"),
        pytest.param("<think>Hm.</think>A </think> tag", "A </think> tag", id="closed-twice"),
        pytest.param("<think>Hm.", "", id="unclosed"),
        pytest.param("<think>Hm.</think>", "", id="nothing-else"),
        pytest.param("Say <think>Hm.</think>", "Say <think>Hm.</think>", id="later"),
        pytest.param("```\n<think>Hm.</think>\n```", "```\n<think>Hm.</think>\n```", id="code"),
        pytest.param("<thi", "<thi", id="half-a-tag"),
        pytest.param(" <3 you", " <3 you", id="no-tag"),
        pytest.param("  ", "  ", id="white-space"),
        pytest.param("", "", id="empty"),
    ],
)
def test_reasoning_is_taken_out(text: str, answer: str) -> None:
    assert filter_pieces([text]) == answer
    assert filter_pieces(text) == answer
    for at in range(1, len(text)):
        assert filter_pieces([text[:at], text[at:]]) == answer


def test_answer_is_passed_on_as_it_comes() -> None:
    tags = ThinkTagFilter()

    pieces = ["<think>Hm", ".</think>", "Hello", " <think>", " world"]

    assert [tags.feed(piece) for piece in pieces] == ["", "", "Hello", " <think>", " world"]
    assert tags.is_done
