from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.llm.text_sanitizer import TextSanitizer

ANY_TEXT = st.text(st.characters(codec=None), max_size=20)


def sanitize(*pieces: str) -> str:
    sanitizer = TextSanitizer()
    return "".join([*(sanitizer.feed(piece) for piece in pieces), sanitizer.flush()])


def test_nul_and_lone_surrogates_are_replaced() -> None:
    assert sanitize("a\x00b", "\ud83d", "c", "\ude00") == "a\ufffdb\ufffdc\ufffd"


def test_surrogate_halves_in_two_pieces_are_joined() -> None:
    assert sanitize("a\ud83d", "\ude00b") == "a\U0001f600b"


def test_surrogate_half_waits_through_an_empty_piece() -> None:
    assert sanitize("\ud83d", "", "\ude00") == "\U0001f600"


@given(st.lists(ANY_TEXT, max_size=6))
def test_sanitized_text_is_storable(pieces: list[str]) -> None:
    text = sanitize(*pieces)

    assert "\x00" not in text
    assert text.encode().decode() == text
    assert text == sanitize("".join(pieces))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), max_size=6))
def test_valid_text_is_unchanged(pieces: list[str]) -> None:
    assert sanitize(*pieces) == "".join(pieces)
