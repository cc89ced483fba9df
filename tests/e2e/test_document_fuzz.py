"""schemathesis over the whole document, all checks, stateful links included, finds nothing.

Bounded here; `make fuzz` runs the same for long: docs/how-to/fuzz-the-api.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.openapi import operations
from tests.conftest import StartWeb
from tests.fuzzing import FuzzRound, run_fuzz_round, summarize
from tests.web_processes import WebProcess

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
"""Half of them for single requests, half for sequences of them."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
"""The most cases of an operation before the next one's turn."""
ROUND_SECONDS = 100
"""A key has so many requests an hour: a long run takes a new key, and new rows, each round."""

pytestmark = pytest.mark.timeout(300 + 2 * SECONDS)


def test_single_requests_find_nothing(own_web: StartWeb, tmp_path: Path) -> None:
    rounds = all_rounds(
        own_web(WEBHOOK_ALLOW_PRIVATE="true"), tmp_path, "examples,coverage,fuzzing"
    )
    accepted = set().union(*(each.accepted for each in rounds))
    every = {f"{method.upper()} {path}" for path, method, _ in operations()}
    print("single requests:", summarize(rounds))
    print("no single request was answered with success:", sorted(every - accepted))
    tested, total = rounds[0].tested
    assert tested == total


def test_sequences_of_requests_find_nothing(own_web: StartWeb, tmp_path: Path) -> None:
    rounds = all_rounds(own_web(WEBHOOK_ALLOW_PRIVATE="true"), tmp_path, "stateful")
    print("sequences:", summarize(rounds))
    assert [each.report["phases"]["stateful"]["status"] for each in rounds] == ["success"] * len(
        rounds
    )
    assert min(each.links for each in rounds) > 0


def all_rounds(web: WebProcess, folder: Path, phases: str) -> list[FuzzRound]:
    return [
        run_fuzz_round(web, folder, phases=phases, seconds=seconds, examples=EXAMPLES, seed=seed)
        for seed, seconds in enumerate(lengths(SECONDS // 2), 1)
    ]


def lengths(seconds: int) -> Iterator[int]:
    """How long each round is, until so many seconds are over."""
    ends = time.monotonic() + seconds
    yield min(seconds, ROUND_SECONDS)
    while (left := int(ends - time.monotonic())) > ROUND_SECONDS // 2:
        yield min(left, ROUND_SECONDS)
