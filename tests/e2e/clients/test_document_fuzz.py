"""schemathesis finds no errors in any operation, with all checks and stateful links.

Limited in time here; `make fuzz` runs it for longer: docs/how-to/fuzz-the-api.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.openapi import operations
from tests.conftest import StartWeb
from tests.fuzzing import FuzzRound, run_fuzz_round, summarize
from tests.web_processes import WebProcess

SECONDS = int(os.environ.get("FUZZ_SECONDS", "45"))
"""Two thirds are for single requests, one for sequences of requests."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
"""The maximum of cases per operation and round."""
ROUND_SECONDS = 100
"""Requests per key and hour are limited, so each round uses a new key and new rows."""

pytestmark = pytest.mark.timeout(300 + 2 * SECONDS)


def test_single_requests_find_nothing(own_web: StartWeb, tmp_path: Path) -> None:
    rounds = run_enough_rounds(
        own_web(WEBHOOK_ALLOW_PRIVATE="true"),
        tmp_path,
        "examples,coverage,fuzzing",
        SECONDS * 2 // 3,
        is_enough=lambda first: first.tested[0] == first.tested[1],
    )
    accepted = set().union(*(each.accepted for each in rounds))
    all_operations = {f"{method.upper()} {path}" for path, method, _ in operations()}
    print("single requests:", summarize(rounds))
    print("operations that accepted no single request:", sorted(all_operations - accepted))
    tested, total = rounds[0].tested
    assert tested == total


def test_sequences_of_requests_find_nothing(own_web: StartWeb, tmp_path: Path) -> None:
    rounds = run_enough_rounds(
        own_web(WEBHOOK_ALLOW_PRIVATE="true"),
        tmp_path,
        "stateful",
        SECONDS // 3,
        is_enough=lambda first: first.links > 0,
    )
    print("sequences:", summarize(rounds))
    assert [each.report["phases"]["stateful"]["status"] for each in rounds] == ["success"] * len(
        rounds
    )
    assert min(each.links for each in rounds) > 0


def run_enough_rounds(
    web: WebProcess,
    folder: Path,
    phases: str,
    seconds: int,
    *,
    is_enough: Callable[[FuzzRound], bool],
) -> list[FuzzRound]:
    """Run for these seconds, and on a busy machine for longer, until the first round is enough."""
    rounds = run_rounds(web, folder, phases, seconds)
    while not is_enough(rounds[0]) and seconds < ROUND_SECONDS:
        seconds *= 2
        rounds = run_rounds(web, folder, phases, seconds)
    return rounds


def run_rounds(web: WebProcess, folder: Path, phases: str, seconds: int) -> list[FuzzRound]:
    return [
        run_fuzz_round(web, folder, phases=phases, seconds=length, examples=EXAMPLES, seed=seed)
        for seed, length in enumerate(round_seconds(seconds), 1)
    ]


def round_seconds(seconds: int) -> Iterator[int]:
    """The length of each round, until this many seconds have passed."""
    deadline = time.monotonic() + seconds
    yield min(seconds, ROUND_SECONDS)
    while (left := int(deadline - time.monotonic())) > ROUND_SECONDS // 2:
        yield min(left, ROUND_SECONDS)
