"""Print the results of `make bench` and write them to files."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.chart import draw_chart
from bench.targets import Rounds, Verdict, median_of

RESULTS = Path(__file__).parent / "results.json"
CHART = RESULTS.with_suffix(".svg")
FIGURES = {
    "json_rate": "JSON: turns a second",
    "json_cpu_ms": "JSON: server CPU a turn, ms",
    "json_p50_ms": "JSON: median answer, ms",
    "json_busy_cores": "JSON: cores busy, all programs",
    "few_cpu_us_a_token": "20 streams: server CPU a token, µs",
    "few_first_p50_ms": "20 streams: median first token, ms",
    "few_gap_p99_ms": "20 streams: p99 of the gap, ms",
    "few_duration_p99": "20 streams: p99 of the duration, x",
    "many_cpu_us_a_token": "many streams: server CPU a token, µs",
    "many_first_p50_ms": "many streams: median first token, ms",
    "many_first_p99_ms": "many streams: p99 first token, ms",
    "many_gap_p50_ms": "many streams: median gap, ms",
    "many_gap_p99_ms": "many streams: p99 of the gap, ms",
    "many_duration_p99": "many streams: p99 of the duration, x",
    "many_memory_kib": "many streams: memory each, KiB",
    "first_added_ms": "idle: added to the first token, ms",
    "first_again_added_ms": "idle, right after another: added, ms",
}


def print_figures(rounds: Rounds) -> None:
    """Print the median of each figure, with a column for each server."""
    print(f"\n{'medians':<38}" + "".join(f"{name:>21}" for name in rounds))
    for figure, title in FIGURES.items():
        values = [median_of(rounds, name, figure) for name in rounds]
        if any(value is not None for value in values):
            print(f"{title:<38}" + "".join(f"{_format_number(value):>21}" for value in values))


def print_verdicts(found: Sequence[Verdict]) -> None:
    """Print each target and whether it is met."""
    print(f"\n{'':<44}{'measured':>10}{'must':>10}{'aim':>8}")
    for one in found:
        must = f"{'≥' if one.more_is_better else '≤'} {_format_number(one.must)}"
        print(
            f"{one.name + ', ' + one.unit:<44}{_format_number(one.value):>10}{must:>10}"
            f"{_format_number(one.aim):>8}  {_verdict_text(one)}"
        )


def write_results(rounds: Rounds, found: Sequence[Verdict], *, cores: int) -> None:
    """Write results.json and results.svg in this directory."""
    machine = {
        "cores": cores,
        "python": platform.python_version(),
        "load": [round(one, 2) for one in os.getloadavg()],
    }
    targets = [asdict(one) | {"is_met": one.is_met} for one in found]
    results = {"machine": machine, "targets": targets, "rounds": rounds}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    CHART.write_text(draw_chart(rounds))


def read_rounds(text: str) -> Rounds:
    """Return the rounds in the text of a results.json."""
    rounds: Rounds = json.loads(text)["rounds"]
    return rounds


def _verdict_text(verdict: Verdict) -> str:
    if verdict.value is None:
        return "not measured"
    if not verdict.is_met:
        return "MISSED"
    return "met, and the aim" if verdict.reaches_aim else "met"


def _format_number(value: float | None) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"
