"""Chunks follow the document: headings, paragraphs, sizes, overlap, and nothing lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st

from apps.knowledge.chunking.split import embedded_text, split_into_chunks
from apps.knowledge.chunking.types import ChunkText
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument
from apps.llm.tokens import estimate_tokens

SENTENCE = "This sentence has exactly forty letters. "
HEADING, PARAGRAPH, ITEM = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM
ROW, CODE = BlockKind.TABLE_ROW, BlockKind.CODE


def chunks_of(*blocks: Block, title: str = "", **options: int) -> list[ChunkText]:
    return split_into_chunks(ParsedDocument(title, blocks, "text/plain"), **options)


def paragraph(sentences: int = 1, page: int | None = None) -> Block:
    return Block(PARAGRAPH, (SENTENCE * sentences).strip(), page=page)


def test_sections_have_their_path_and_page() -> None:
    chunks = chunks_of(
        paragraph(10, page=1),
        Block(HEADING, "Handbook", 1, 1),
        paragraph(10, page=1),
        Block(HEADING, "Returns", 2, 2),
        Block(HEADING, "Fees", 3, 2),
        paragraph(10, page=3),
        Block(HEADING, "Contact", 2, 4),
        paragraph(10, page=4),
        title="Acme",
    )
    assert [(chunk.heading_path, chunk.page) for chunk in chunks] == [
        (("Acme",), 1),
        (("Acme", "Handbook"), 1),
        (("Acme", "Handbook", "Returns", "Fees"), 3),
        (("Acme", "Handbook", "Contact"), 4),
    ]
    assert [chunk.position for chunk in chunks] == [0, 1, 2, 3]
    assert embedded_text(chunks[2]).startswith("Acme › Handbook › Returns › Fees\n\nThis sentence")


def test_heading_that_repeats_the_title_is_there_once() -> None:
    (chunk,) = chunks_of(Block(HEADING, "Returns", 1), paragraph(10), title="Returns")
    assert chunk.heading_path == ("Returns",)


def test_heading_without_text_is_not_lost() -> None:
    chunks = chunks_of(
        Block(HEADING, "Open on Monday", 2), Block(HEADING, "Closed on Tuesday", 2), title="Hours"
    )
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [
        (("Hours",), "Open on Monday\n\nClosed on Tuesday")
    ]


def test_long_heading_stands_in_the_text() -> None:
    heading = " ".join(["word"] * 100)
    (chunk,) = chunks_of(Block(HEADING, heading, 1), paragraph(), title="T")
    assert chunk.text == f"{heading}\n\n{SENTENCE.strip()}"
    assert estimate_tokens(chunk.heading_path[1]) <= 40
    assert chunk.heading_path[1].endswith("word…")


def test_small_siblings_are_joined_and_large_ones_are_not() -> None:
    chunks = chunks_of(
        Block(HEADING, "Monday", 2),
        Block(PARAGRAPH, "Nine to five."),
        Block(HEADING, "Tuesday", 2),
        Block(PARAGRAPH, "Closed."),
        Block(HEADING, "How to find us", 2),
        paragraph(10),
        title="Hours",
    )
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [
        (("Hours",), "Monday\n\nNine to five.\n\nTuesday\n\nClosed."),
        (("Hours", "How to find us"), (SENTENCE * 10).strip()),
    ]


def test_paragraphs_stay_whole() -> None:
    chunks = chunks_of(*[paragraph(8)] * 6, overlap_tokens=0)
    assert [chunk.text for chunk in chunks] == [
        "\n\n".join([(SENTENCE * 8).strip()] * 3) for _ in range(2)
    ]


def test_long_paragraph_is_cut_between_sentences_of_like_size() -> None:
    text = "".join(f"Sentence number {at:03} of this paragraph. " for at in range(70)).strip()
    chunks = chunks_of(Block(PARAGRAPH, text))
    assert len(chunks) == 3
    assert all(chunk.text.startswith("Sentence") for chunk in chunks)
    assert all(chunk.text.endswith("paragraph.") for chunk in chunks)
    sizes = [estimate_tokens(chunk.text) for chunk in chunks]
    assert max(sizes) - min(sizes) < 60
    for last, chunk in pairwise(chunks):
        overlap = chunk.text[: chunk.text.index(last.text[-20:]) + 20]
        assert last.text.endswith(overlap)
        assert 20 <= estimate_tokens(overlap) <= 40


def test_overlap_stays_inside_a_section() -> None:
    first, second = chunks_of(
        Block(HEADING, "A", 1), paragraph(20), Block(HEADING, "B", 1), Block(PARAGRAPH, "x " * 200)
    )
    assert second.text == ("x " * 200).strip()
    assert first.heading_path == ("A",)


def test_rows_stay_whole_and_do_not_overlap() -> None:
    rows = [Block(ROW, f"Name: Person {at}; City: {'Lisbon' * 5}") for at in range(60)]
    chunks = chunks_of(*rows)
    assert "\n".join(chunk.text for chunk in chunks) == "\n".join(row.text for row in rows)


def test_row_that_is_too_long_is_cut_between_cells() -> None:
    chunks = chunks_of(Block(ROW, "; ".join(f"Column {at}: {'v' * 80}" for at in range(40))))
    assert all(chunk.text.startswith("Column") for chunk in chunks)


def test_code_is_cut_between_lines() -> None:
    code = "\n".join(f"    line_{at:03} = call(argument)" for at in range(100))
    chunks = chunks_of(Block(CODE, code))
    assert "\n".join(chunk.text for chunk in chunks) == code


def test_japanese_is_cut_after_sentences() -> None:
    sentence = "営業時間は月曜日から金曜日の午前9時から午後5時までです。"
    chunks = chunks_of(Block(PARAGRAPH, sentence * 40))
    assert len(chunks) > 1
    assert all(chunk.text.endswith("です。") for chunk in chunks)
    assert all(chunk.text.startswith("営業") for chunk in chunks)


def test_unchanged_chunk_keeps_its_digest() -> None:
    blocks = [Block(HEADING, "A", 1), paragraph(20), Block(HEADING, "B", 1), paragraph(20)]
    before = chunks_of(*blocks, title="T")
    after = chunks_of(*blocks[:2], paragraph(3), *blocks[2:], title="T")
    assert before[-1].digest == after[-1].digest
    assert before[-1].digest != chunks_of(*blocks, title="U")[-1].digest


def test_document_without_blocks_has_no_chunks() -> None:
    assert chunks_of(title="T") == []


LETTERS = "ab. 。！،\u0301é👨\u200d👩ก"
TEXTS = st.text(LETTERS, min_size=1, max_size=60).map(lambda text: " ".join(text.split()))
BLOCKS = st.builds(
    Block,
    st.sampled_from([PARAGRAPH, PARAGRAPH, ITEM, ROW]),
    st.integers(1, 8).flatmap(lambda times: TEXTS.map(lambda text: " ".join([text] * times))),
).filter(lambda block: bool(block.text.strip()))
HEADINGS = st.builds(
    Block, st.just(HEADING), TEXTS.filter(bool), st.integers(1, 6), st.none() | st.integers(1, 9)
)


@given(st.lists(BLOCKS | HEADINGS, max_size=12), st.integers(20, 80))
@few(max_examples=80)
def test_nothing_is_lost_or_invented(blocks: list[Block], max_tokens: int) -> None:
    document = ParsedDocument("", tuple(blocks), "text/plain")
    chunks = split_into_chunks(document, max_tokens=max_tokens, overlap_tokens=0)
    body = "".join(chunk.text for chunk in chunks)
    told = "".join("".join([*chunk.heading_path, chunk.text]) for chunk in chunks)
    at = 0
    for block in blocks:
        text = "".join(block.text.split())
        if block.kind != HEADING:
            at = "".join(body.split()).index(text, at) + len(text)
        elif "…" not in told:
            assert text in "".join(told.split())
    texts = {character for block in blocks for character in block.text}
    assert set(told) <= {*texts, " ", "\n", "…"}


@given(st.lists(BLOCKS | HEADINGS, max_size=12), st.integers(20, 80), st.integers(0, 20))
@few(max_examples=80)
def test_sizes_and_digests(blocks: list[Block], max_tokens: int, overlap_tokens: int) -> None:
    document = ParsedDocument("Title", tuple(blocks), "text/plain")
    chunks = split_into_chunks(document, max_tokens=max_tokens, overlap_tokens=overlap_tokens)
    again = split_into_chunks(document, max_tokens=max_tokens, overlap_tokens=overlap_tokens)
    assert chunks == again
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.text
        assert chunk.text == chunk.text.rstrip()
        assert estimate_tokens(chunk.text) <= max_tokens
        assert chunk.tokens == estimate_tokens(embedded_text(chunk))
    by_digest = {chunk.digest: embedded_text(chunk) for chunk in chunks}
    assert len(by_digest) == len({embedded_text(chunk) for chunk in chunks})
    assert all(by_digest[chunk.digest] == embedded_text(chunk) for chunk in chunks)


@pytest.mark.parametrize("size", [1, 10_000])
def test_word_without_end_is_cut(size: int) -> None:
    chunks = chunks_of(Block(PARAGRAPH, "x" * size))
    assert "".join(chunk.text for chunk in chunks) == "x" * size
    assert all(estimate_tokens(chunk.text) <= 300 for chunk in chunks)
