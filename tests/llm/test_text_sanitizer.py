from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.llm.text_sanitizer import TextSanitizer

ANY_TEXT = st.text(st.characters(codec=None), max_size=20)


def clean(*pieces: str) -> str:
    fit = TextSanitizer()
    return "".join([*(fit.feed(piece) for piece in pieces), fit.flush()])


def test_nul_and_lone_surrogates_are_replaced() -> None:
    assert clean("a\x00b", "\ud83d", "c", "\ude00") == "a\ufffdb\ufffdc\ufffd"


def test_halves_in_two_pieces_are_joined() -> None:
    assert clean("a\ud83d", "\ude00b") == "a\U0001f600b"


def test_half_waits_through_an_empty_piece() -> None:
    assert clean("\ud83d", "", "\ude00") == "\U0001f600"


@given(st.lists(ANY_TEXT, max_size=6))
def test_any_text_can_be_stored(pieces: list[str]) -> None:
    text = clean(*pieces)

    assert "\x00" not in text
    assert text.encode().decode() == text
    assert text == clean("".join(pieces))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), max_size=6))
def test_fit_text_is_left_alone(pieces: list[str]) -> None:
    assert clean(*pieces) == "".join(pieces)
