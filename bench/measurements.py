"""From a place and a load to figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import uvloop

from bench.load import StreamTiming, Target, run_json_load, run_stream_load, time_first_tokens
from bench.processes import PeakMemory, cpu_seconds
from bench.servers import TOKENS, TOKENS_PER_SECOND, Server

IDEAL_SECONDS = TOKENS / TOKENS_PER_SECOND
CLIENTS = 32
"""Callers of each web process. The same few for two would be fewer for each, and each statement of
a group would write half as many turns."""

FEW_STREAMS = 20
"""Streams that LiteLLM's proxy can still hold at a model's pace in one process."""

IDLE_PAUSE_SECONDS = 1.2
"""Seconds before each turn of an idle server: what it knew of key and chatbot is out of date."""

Figures = dict[str, float]


@dataclass(frozen=True)
class LoadSize:
    """How much of each load one round sends."""

    json_seconds: float = 4.0
    turns_per_stream: int = 2
    many_streams: int = 300
    idle_turns: int = 7


def measure_json(place: Server, size: LoadSize) -> Figures:
    """JSON in a closed loop."""
    clients = CLIENTS * place.workers
    cpu, _ = cpu_seconds(place.pid), psutil.cpu_percent()
    answered = uvloop.run(run_json_load(place.json, seconds=size.json_seconds, clients=clients))
    busy = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)
    count = len(answered.milliseconds)
    return {
        "json_rate": count / answered.seconds,
        "json_cpu_ms": (cpu_seconds(place.pid) - cpu) * 1000 / count,
        "json_p50_ms": statistics.median(answered.milliseconds),
        "json_busy_cores": busy,
    }


def measure_few_streams(place: Server, size: LoadSize) -> Figures:
    """As many streams as LiteLLM's proxy can hold."""
    return _measure_streams(place, FEW_STREAMS, size.turns_per_stream, "few")


def measure_many_streams(place: Server, size: LoadSize, rest_kib: float) -> Figures:
    """As many as one process is to hold. `rest_kib`: its memory before it ever did."""
    with PeakMemory(place.pid) as most:
        found = _measure_streams(place, size.many_streams, size.turns_per_stream, "many")
    return {**found, "many_memory_kib": (most.kib - rest_kib) / size.many_streams}


def _measure_streams(place: Server, streams: int, turns: int, name: str) -> Figures:
    cpu = cpu_seconds(place.pid)
    streamed = uvloop.run(
        run_stream_load(place.stream, streams=streams, turns=turns, over=IDEAL_SECONDS)
    )
    cpu = cpu_seconds(place.pid) - cpu
    return {f"{name}_{figure}": value for figure, value in _stream_figures(streamed, cpu).items()}


def _stream_figures(streamed: Sequence[StreamTiming], cpu: float) -> Figures:
    gaps = [gap * 1000 for one in streamed for gap in one.gaps]
    return {
        "cpu_us_a_token": cpu * 1e6 / (len(streamed) * TOKENS),
        "first_p50_ms": statistics.median(one.first_token_seconds for one in streamed) * 1000,
        "first_p99_ms": percentile([one.first_token_seconds for one in streamed], 0.99) * 1000,
        "duration_p99": percentile([one.total_seconds for one in streamed], 0.99) / IDEAL_SECONDS,
        "gap_p50_ms": statistics.median(gaps),
        "gap_p99_ms": percentile(gaps, 0.99),
    }


def measure_idle_turns(places: Sequence[Server], model: Target, size: LoadSize) -> list[Figures]:
    """What each of the places adds to the time to the first token when it has nothing to do, in
    milliseconds: after a pause, and right after another turn."""
    targets = [model, *(place.brief for place in places)]
    own, *rested = uvloop.run(
        time_first_tokens(targets, times=size.idle_turns, pause=IDLE_PAUSE_SECONDS)
    )
    found: list[Figures] = []
    for place, times in zip(places, rested, strict=True):
        again = uvloop.run(time_first_tokens([place.brief], times=size.idle_turns, pause=0))[0]
        found.append(
            {
                "first_added_ms": statistics.median(times) - statistics.median(own),
                "first_again_added_ms": statistics.median(again) - statistics.median(own),
            }
        )
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value under which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
