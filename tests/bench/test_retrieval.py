"""Tests of the questions and figures of `make bench ARGS=retrieval`. Nothing is measured here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.retrieval.quality import Quality
from bench.retrieval.questions import LANGUAGES, Question, load_sets
from bench.retrieval.vectors import Vector, VectorCache


def test_quality_counts_what_is_not_found() -> None:
    assert Quality.of([1, 2, 10, None]) == Quality(0.25, 0.5, (1 + 1 / 2 + 1 / 10) / 4)


def test_own_questions_are_in_all_languages() -> None:
    sets = load_sets(None)
    assert [each.name for each in sets] == [*LANGUAGES, "en←de"]
    assert len({len(each.passages) for each in sets}) == 1
    english, german, across = sets[0], sets[1], sets[-1]
    assert (across.passages, across.questions) == (english.passages, german.questions)


def test_xquad_is_read(tmp_path: Path) -> None:
    paragraphs = [
        {"context": f"Passage {number}", "qas": [{"question": f"Question {number}"}]}
        for number in range(2)
    ]
    for language in LANGUAGES:
        data = {"data": [{"paragraphs": paragraphs}]}
        (tmp_path / f"xquad.{language}.json").write_text(json.dumps(data))
    english = load_sets(tmp_path)[0]
    assert english.passages == ("Passage 0", "Passage 1")
    assert english.questions == (Question("Question 0", 0), Question("Question 1", 1))


def test_vectors_are_remembered(tmp_path: Path) -> None:
    embedded: list[str] = []

    def embed(texts: Sequence[str]) -> list[Vector]:
        embedded.extend(texts)
        return [[1.0, 0.0] for _ in texts]

    for _ in range(2):
        vectors = VectorCache(embed, tmp_path / "cache" / "vectors").passages(["a", "a"])
        assert [list(vector) for vector in vectors] == [[1.0, 0.0]] * 2
    assert embedded == ["passage: a"]
