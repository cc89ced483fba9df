"""From a place and a load to figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import uvloop

from bench.load import Streamed, Target, first_tokens, send_json, send_streams
from bench.processes import MostMemory, cpu_seconds
from bench.servers import PACE, TOKENS, Place

IDEAL = TOKENS / PACE
CLIENTS = 32
"""Callers of each web process. The same few for two would be fewer for each, and each statement of
a group would write half as many turns."""

FEW = 20
"""Streams that LiteLLM's proxy can still hold at a model's pace in one process."""

PAUSE = 1.2
"""Seconds before each turn of an idle server: what it knew of key and chatbot is out of date."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Size:
    """How much of each load one round sends."""

    json_seconds: float = 4.0
    turns: int = 2
    many: int = 300
    idle_turns: int = 7


def json_turns(place: Place, size: Size) -> Figures:
    """JSON in a closed loop."""
    clients = CLIENTS * place.workers
    cpu, _ = cpu_seconds(place.pid), psutil.cpu_percent()
    answered = uvloop.run(send_json(place.json, seconds=size.json_seconds, clients=clients))
    busy = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)
    count = len(answered.milliseconds)
    return {
        "json_rate": count / answered.seconds,
        "json_cpu_ms": (cpu_seconds(place.pid) - cpu) * 1000 / count,
        "json_p50_ms": statistics.median(answered.milliseconds),
        "json_busy_cores": busy,
    }


def few_streams(place: Place, size: Size) -> Figures:
    """As many streams as LiteLLM's proxy can hold."""
    return _streams(place, FEW, size.turns, "few")


def many_streams(place: Place, size: Size, rest_kib: float) -> Figures:
    """As many as one process is to hold. `rest_kib`: its memory before it ever did."""
    with MostMemory(place.pid) as most:
        found = _streams(place, size.many, size.turns, "many")
    return {**found, "many_memory_kib": (most.kib - rest_kib) / size.many}


def _streams(place: Place, streams: int, turns: int, name: str) -> Figures:
    cpu = cpu_seconds(place.pid)
    streamed = uvloop.run(send_streams(place.stream, streams=streams, turns=turns, over=IDEAL))
    cpu = cpu_seconds(place.pid) - cpu
    return {f"{name}_{figure}": value for figure, value in _told(streamed, cpu).items()}


def _told(streamed: Sequence[Streamed], cpu: float) -> Figures:
    gaps = [gap * 1000 for one in streamed for gap in one.gaps]
    return {
        "cpu_us_a_token": cpu * 1e6 / (len(streamed) * TOKENS),
        "first_p50_ms": statistics.median(one.first for one in streamed) * 1000,
        "first_p99_ms": percentile([one.first for one in streamed], 0.99) * 1000,
        "duration_p99": percentile([one.whole for one in streamed], 0.99) / IDEAL,
        "gap_p50_ms": statistics.median(gaps),
        "gap_p99_ms": percentile(gaps, 0.99),
    }


def idle_turns(places: Sequence[Place], model: Target, size: Size) -> list[Figures]:
    """What each of the places adds to the time to the first token when it has nothing to do, in
    milliseconds: after a pause, and right after another turn."""
    targets = [model, *(place.brief for place in places)]
    own, *rested = uvloop.run(first_tokens(targets, times=size.idle_turns, pause=PAUSE))
    found: list[Figures] = []
    for place, times in zip(places, rested, strict=True):
        again = uvloop.run(first_tokens([place.brief], times=size.idle_turns, pause=0))[0]
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
