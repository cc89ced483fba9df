"""How long a search takes in bases of many sizes, and how much an HNSW index finds."""

import json
import math
import os
import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from apps.chatbots.models import EmbeddingModel
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.search.relevance import probably_answers
from apps.knowledge.search.vector_indexes import create_missing_indexes
from apps.knowledge.search.vectors_sql import index_name
from bench.retrieval.corpus import Group, fill, groups, word
from bench.retrieval.quality import Searcher

QUERIES = 200
RECALL_QUERIES = 40
NEIGHBOURS = 10
QUESTION_NOISE = 0.55
MAX_P95_MS, MIN_RECALL = 50.0, 0.97

_QUESTIONS = """
SELECT chunk.knowledge_base_id, tsvector_to_array(chunk.words),
  vector.embedding::text, other.embedding::text
FROM unnest(%(ids)s::text[], %(others)s::text[]) AS input (id, other)
JOIN knowledge_chunk AS chunk ON chunk.id = input.id
JOIN knowledge_chunkvector AS vector ON vector.chunk_id = input.id
JOIN knowledge_chunkvector AS other ON other.chunk_id = input.other
"""
_EXACT = """
SELECT chunk_id FROM knowledge_chunkvector
WHERE knowledge_base_id = %s AND embedding_model_id = %s
ORDER BY embedding <=> %s::halfvec LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A generated question to a base."""

    base_id: str
    text: str
    vector: list[float]


def measure_scale(searcher: Searcher, model: EmbeddingModel, chunks: int) -> bool:
    """Fill the database, unless it is, measure and print. Returns whether the targets are met."""
    wanted = groups(chunks)
    sizes = Source.objects.filter(knowledge_base__name="scale").values_list("chunks", flat=True)
    largest = sizes.order_by("-chunks").first()
    if largest not in (None, chunks):
        raise SystemExit(f"The database has another base of {largest:,} generated chunks.")
    if largest is None:
        print(f"filling with {sum(group.bases * group.chunks for group in wanted):,} chunks")
        start = time.monotonic()
        fill(model, wanted)
        print(f"filled in {time.monotonic() - start:.0f} s", flush=True)
    start = time.monotonic()
    if create_missing_indexes():
        print(f"HNSW index built in {time.monotonic() - start:.0f} s", flush=True)
    _print_sizes(model)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':<28}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}{'recall':>9}")
    is_met = True
    for number, group in enumerate(wanted):
        questions = _questions(group, number)
        for question in questions[:10]:
            _ask(searcher, model, question)  # until plans are made and pages are read
        taken = sorted(_ask(searcher, model, question) for question in questions)
        recall = _recall(searcher, model, questions[:RECALL_QUERIES])
        p95 = taken[int(len(taken) * 0.95)]
        is_met = is_met and p95 <= MAX_P95_MS and recall >= MIN_RECALL
        print(
            f"{group!s:<28}{statistics.median(taken):>9.1f}{p95:>9.1f}{taken[-1]:>9.1f}"
            f"{recall:>9.3f}",
            flush=True,
        )
    return is_met


def _ask(searcher: Searcher, model: EmbeddingModel, question: Question) -> float:
    """Milliseconds from the question's vector to the judged passages."""
    base = _base(question.base_id, model)
    start = time.perf_counter()
    asked = searcher.find(base, question.text, question.vector)
    probably_answers(asked.terms, asked.candidates)
    return (time.perf_counter() - start) * 1000


def _base(base_id: str, model: EmbeddingModel) -> KnowledgeBase:
    return KnowledgeBase(
        id=base_id, workspace_id=re.sub("^cb", "cw", base_id), embedding_model=model
    )


def _questions(group: Group, number: int) -> list[Question]:
    choose = random.Random(number)
    ids, others = [], []
    for _ in range(QUERIES):
        first = choose.randrange(group.bases) * group.chunks
        ids.append(f"cc{number}{first + choose.randrange(group.chunks):012}")
        others.append(f"cc{number}{first + choose.randrange(group.chunks):012}")
    with connection.cursor() as cursor:
        cursor.execute(_QUESTIONS, {"ids": ids, "others": others})
        rows = cursor.fetchall()
    return [
        Question(base_id, _text(choose, words), _between(vector, other))
        for base_id, words, vector, other in rows
    ]


def _between(near: str, far: str) -> list[float]:
    """A vector of length 1 at a cosine of about 0.87 to the first, towards the second."""
    pairs = zip(json.loads(near), json.loads(far), strict=True)
    mixed = [first + QUESTION_NOISE * second for first, second in pairs]
    length = math.hypot(*mixed)
    return [each / length for each in mixed]


def _text(choose: random.Random, words: Sequence[str]) -> str:
    """Five words of a passage, every other time its name, and three words that most have."""
    names = [each for each in words if each.startswith("name")] * choose.randrange(2)
    common = [word(choose.randrange(20)) for _ in range(3)]
    return " ".join([*common, *choose.sample(list(words), min(5, len(words))), *names])


def _recall(searcher: Searcher, model: EmbeddingModel, questions: Sequence[Question]) -> float:
    """The share of the nearest neighbours that the search has found by vectors."""
    found = total = 0
    for question in questions:
        candidates = searcher.find(_base(question.base_id, model), "", question.vector).candidates
        near = {each.id for each in candidates if each.vector_rank is not None}
        with connection.cursor() as cursor:
            vector = str(question.vector)
            cursor.execute(_EXACT, [question.base_id, model.id, vector, NEIGHBOURS])
            exact = {row[0] for row in cursor.fetchall()}
        found, total = found + len(exact & near), total + len(exact)
    return found / total


def _print_sizes(model: EmbeddingModel) -> None:
    relations = ("knowledge_chunk", "knowledge_chunk_words", "knowledge_chunkvector")
    with connection.cursor() as cursor:
        for name in (*relations, index_name(model.id)):
            cursor.execute("SELECT pg_size_pretty(pg_relation_size(to_regclass(%s)))", [name])
            (size,) = cursor.fetchone()
            if size is not None:
                print(f"{name.removesuffix('_' + model.id):<28}{size:>12}")
