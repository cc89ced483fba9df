"""Run each load on a server and compute its figures."""

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
"""Clients for each web process. With the same number for two processes, each process would have
fewer, and each batched statement would write half as many turns."""

FEW_STREAMS = 20
"""Concurrent streams that one process of LiteLLM's proxy can serve at the model's pace."""

IDLE_PAUSE_SECONDS = 1.2
"""Pause before each turn of an idle server, after which its caches of key and chatbot are stale."""

Figures = dict[str, float]


@dataclass(frozen=True)
class LoadSize:
    """How much load one round runs."""

    json_seconds: float = 4.0
    turns_per_stream: int = 2
    many_streams: int = 300
    idle_turns: int = 7


def measure_json(server: Server, size: LoadSize) -> Figures:
    """Measure JSON turns in a closed loop."""
    clients = CLIENTS * server.workers
    cpu, _ = cpu_seconds(server.pid), psutil.cpu_percent()
    timings = uvloop.run(run_json_load(server.json, seconds=size.json_seconds, clients=clients))
    busy = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)
    count = len(timings.milliseconds)
    return {
        "json_rate": count / timings.seconds,
        "json_cpu_ms": (cpu_seconds(server.pid) - cpu) * 1000 / count,
        "json_p50_ms": statistics.median(timings.milliseconds),
        "json_busy_cores": busy,
    }


def measure_few_streams(server: Server, size: LoadSize) -> Figures:
    """Measure as many concurrent streams as LiteLLM's proxy can serve."""
    return _measure_streams(server, FEW_STREAMS, size.turns_per_stream, "few")


def measure_many_streams(server: Server, size: LoadSize, idle_kib: float) -> Figures:
    """Measure many concurrent streams. `idle_kib`: the server's memory before the first ones."""
    with PeakMemory(server.pid) as peak:
        figures = _measure_streams(server, size.many_streams, size.turns_per_stream, "many")
    return {**figures, "many_memory_kib": (peak.kib - idle_kib) / size.many_streams}


def _measure_streams(server: Server, streams: int, turns: int, name: str) -> Figures:
    cpu = cpu_seconds(server.pid)
    timings = uvloop.run(
        run_stream_load(server.stream, streams=streams, turns=turns, over=IDEAL_SECONDS)
    )
    cpu = cpu_seconds(server.pid) - cpu
    return {f"{name}_{figure}": value for figure, value in _stream_figures(timings, cpu).items()}


def _stream_figures(timings: Sequence[StreamTiming], cpu: float) -> Figures:
    gaps = [gap * 1000 for one in timings for gap in one.gaps]
    return {
        "cpu_us_a_token": cpu * 1e6 / (len(timings) * TOKENS),
        "first_p50_ms": statistics.median(one.first_token_seconds for one in timings) * 1000,
        "first_p99_ms": percentile([one.first_token_seconds for one in timings], 0.99) * 1000,
        "duration_p99": percentile([one.total_seconds for one in timings], 0.99) / IDEAL_SECONDS,
        "gap_p50_ms": statistics.median(gaps),
        "gap_p99_ms": percentile(gaps, 0.99),
    }


def measure_idle_turns(servers: Sequence[Server], model: Target, size: LoadSize) -> list[Figures]:
    """Measure the milliseconds that each idle server adds to the time to the first token.

    Measured after a pause, when caches are stale, and right after another turn.
    """
    targets = [model, *(server.brief for server in servers)]
    model_times, *paused = uvloop.run(
        time_first_tokens(targets, times=size.idle_turns, pause=IDLE_PAUSE_SECONDS)
    )
    figures: list[Figures] = []
    for server, times in zip(servers, paused, strict=True):
        again = uvloop.run(time_first_tokens([server.brief], times=size.idle_turns, pause=0))[0]
        figures.append(
            {
                "first_added_ms": statistics.median(times) - statistics.median(model_times),
                "first_again_added_ms": statistics.median(again) - statistics.median(model_times),
            }
        )
    return figures


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values are."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
