from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from apps.llm.tokens import estimate_prompt_tokens, estimate_tokens, max_prompt_tokens
from apps.llm.types import ChatMessage


def test_estimate_is_four_bytes_per_token_rounded_up() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "語", "🙂🙂")] == [
        0,
        1,
        1,
        2,
        1,
        2,
    ]


def test_prompt_estimate_includes_the_template() -> None:
    assert estimate_prompt_tokens([ChatMessage("user", "abcd"), ChatMessage("user", "")]) == 9
    assert estimate_prompt_tokens([]) == 0


def test_bound_uses_the_longest_normal_form() -> None:
    ligature = "\ufdfa"  # 3 bytes; NFKC makes 18 letters of it
    spelled_out = unicodedata.normalize("NFKC", ligature)

    bound = max_prompt_tokens([ChatMessage("user", ligature)])

    assert bound == max_prompt_tokens([ChatMessage("user", spelled_out)])


@given(st.lists(st.text(), max_size=4))
def test_bound_covers_every_byte_and_the_estimate(texts: list[str]) -> None:
    messages = [ChatMessage("user", text) for text in texts]

    assert max_prompt_tokens(messages) > sum(len(text.encode()) for text in texts)
    assert max_prompt_tokens(messages) > estimate_prompt_tokens(messages)


def test_lone_surrogates_are_counted() -> None:
    assert estimate_tokens("\ud83d") == 1
    assert max_prompt_tokens([ChatMessage("user", "\ud83d")]) > 3
