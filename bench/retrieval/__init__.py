"""Measure how well and how fast knowledge bases are searched.

    make bench ARGS=retrieval                    our own few questions, and 100,000 chunks
    make bench ARGS="retrieval PATH"             XQuAD, from a directory with xquad.LANGUAGE.json
    make bench ARGS="retrieval --scale 1000000"  only searches among so many chunks
    make bench ARGS="retrieval --turn"           only what a search adds to a turn

Exits with 1 if a target is missed. The questions of the targets are XQuAD's. The vectors of texts
are kept in ~/.cache/parley/vectors.sqlite3; those of XQuAD take some minutes the first time. With
DATABASE_URL, generated chunks are kept in that database, which must be an empty one of its own.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.chatbots.models import EmbeddingModel
from bench.retrieval.answerable import Answerable, measure_answerable
from bench.retrieval.quality import (
    SIDES,
    Quality,
    Searcher,
    measure_quality,
    run_searcher,
    store_set,
)
from bench.retrieval.questions import QuestionSet, load_sets
from bench.retrieval.scale import measure_scale
from bench.retrieval.turn import measure_turn
from bench.retrieval.vectors import (
    VectorCache,
    embed_with,
    make_embedding_model,
    run_embedding_model,
)
from bench.tenants import create_tenant

MIN_QUALITY = {"en": (0.95, 0.99), "de": (0.92, 0.0)}
"""R@1 and R@5 of both sides together, for XQuAD."""
MAX_MISSED = 0.02
"""The share of questions with an answer that may be said to have none."""


def main(arguments: list[str]) -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=retrieval")
    parser.add_argument("path", nargs="?", type=Path, help="a directory with XQuAD")
    parser.add_argument("--scale", type=int, help="only searches among so many chunks")
    parser.add_argument("--turn", action="store_true", help="only what a search adds to a turn")
    options = parser.parse_args(arguments)
    is_met = True
    with run_searcher() as searcher, run_embedding_model() as api_base:
        model = make_embedding_model(api_base)
        cache = VectorCache(embed_with(model))
        sets = load_sets(options.path)
        if options.scale is None and not options.turn:
            is_met &= _measure_sets(searcher, model, sets, cache, is_xquad=options.path is not None)
        if options.scale is None:
            is_met &= measure_turn(model, sets[0], cache)
        if not options.turn:
            is_met &= measure_scale(searcher, model, options.scale or 100_000)
    return 0 if is_met else 1


def _measure_sets(
    searcher: Searcher,
    model: EmbeddingModel,
    sets: Sequence[QuestionSet],
    cache: VectorCache,
    *,
    is_xquad: bool,
) -> bool:
    workspace = create_tenant().workspace
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':<8}" + "".join(f"{side + ' R@1, R@5, MRR':<28}" for side in SIDES))
    is_good, judged = True, {}
    for questions in sets:
        base, chunk_ids = store_set(workspace, model, questions, cache)
        quality = measure_quality(searcher, base, chunk_ids, questions, cache)
        _print_quality(questions.name, quality)
        judged[questions.name] = measure_answerable(searcher, base, chunk_ids, questions, cache)
        is_good = is_good and (not is_xquad or _is_good(questions.name, quality))
    return _print_answerable(judged) and is_good


def _is_good(name: str, quality: Mapping[str, Quality]) -> bool:
    both = quality["both"]
    first, among_five = MIN_QUALITY.get(name, (0.0, 0.0))
    best_side = max(quality["words"].first, quality["vectors"].first)
    return both.first >= max(first, best_side) and both.among_five >= among_five


def _print_quality(name: str, quality: Mapping[str, Quality]) -> None:
    figures = (
        f"{each.first:.3f}  {each.among_five:.3f}  {each.reciprocal:.3f}"
        for each in quality.values()
    )
    print(f"{name:<8}" + "".join(f"{each:<28}" for each in figures), flush=True)


def _print_answerable(judged: Mapping[str, Answerable]) -> bool:
    print("\nSaid to have no answer: questions with it, without it, and no questions about it")
    for name, each in judged.items():
        print(f"{name:<8}{each.missed:>8.3f}{each.refused:>8.3f}{each.others_refused:>8.3f}")
    return all(each.missed <= MAX_MISSED for each in judged.values())
