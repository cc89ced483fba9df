"""Sentences of every script, and what is too long for one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import settings as few
from hypothesis import strategies as st

from apps.knowledge.chunking.sentences import split_long, split_sentences

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    "sentences",
    [
        ["We open at nine. ", "We close at five! ", "(Really?) ", "Yes…"],
        ["Dr. Smith met J. Doe, i.e. a friend, at 5 p.m. on the 3. of May. ", "They left."],
        ["Das kostet z.B. 5 €, vgl. Abs. 3 im Vertrag. ", "Über uns: nichts."],
        ["当店へようこそ。", "営業時間は9時からです！", "「本当ですか？」", "はい"],
        ["欢迎光临。", "请问有什么可以帮您？"],
        ["مرحبا بكم. ", "هل تريد المساعدة؟ ", "نعم۔"],
        ["हम खुले हैं। ", "आइए।"],
        ["Version 2.5 costs 3.50 and runs on node.js. ", "Buy it."],
        ["No end at all"],
    ],
)
def test_sentences_are_split(sentences: list[str]) -> None:
    assert split_sentences("".join(sentences)) == sentences


@given(st.text(max_size=80), st.integers(4, 40))
@example(f"{FAMILY}{FAMILY}é{FAMILY}", 30)
@few(max_examples=60)
def test_pieces_make_the_text(text: str, size: int) -> None:
    assert "".join(split_sentences(text)) == text
    pieces = list(split_long(text, size))
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("text", "size", "pieces"),
    [
        ("one two three", 8, ["one two ", "three"]),
        ("onetwothree", 6, ["onetwo", "three"]),
        ("一二三四，五六七八", 18, ["一二三四，", "五六七八"]),
        ("ดีดีดี", 12, ["ดีดี", "ดี"]),
        (FAMILY * 2, 40, [FAMILY, FAMILY]),
        ("e\u0301" * 4, 7, ["e\u0301" * 2, "e\u0301" * 2]),
    ],
)
def test_long_text_is_split_between_graphemes(text: str, size: int, pieces: list[str]) -> None:
    assert list(split_long(text, size)) == pieces


@pytest.mark.parametrize("row", [".", ".'", "...'\"", "。", "a。", ". "])
def test_rows_of_signs_are_split(row: str) -> None:
    text = row * 100_000
    assert "".join(split_sentences(text)) == text


def test_grapheme_without_end_is_split() -> None:
    assert all(len(piece.encode()) <= 200 for piece in split_long("a" + "\u0301" * 5000, 200))
