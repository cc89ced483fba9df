"""`python -m bench floor`: Parley beside the floor, in rounds that take turns.

--rounds 3         how often each is measured
--only parley      one of them alone: parley, floor
--kind json        one kind of turn alone: json, streams
--streams 100      streams kept at once
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import uvloop

from bench.load import send_json, send_streams

if TYPE_CHECKING:
    from bench.places import Place

REQUESTS, CLIENTS = 1500, 32
Figures = dict[str, float]


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench floor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["", "parley", "floor"], default="")
    parser.add_argument("--kind", choices=["", "json", "streams"], default="")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    options = parser.parse_args(arguments)
    from bench.places import places

    with places(options.only) as found:
        rounds: dict[str, list[Figures]] = {place.name: [] for place in found}
        for place in found:
            measure_json(place, 100)
        for _ in range(options.rounds):
            for place in found:
                figures: Figures = {}
                if options.kind in ("", "json"):
                    figures |= measure_json(place, options.requests)
                if options.kind in ("", "streams"):
                    figures |= measure_streams(place, options.streams)
                rounds[place.name].append(figures)
    report(rounds)


def measure_json(place: Place, requests: int) -> Figures:
    """JSON turns in a closed loop."""
    cpu = place.cpu_seconds()
    answered = uvloop.run(send_json(place.json, requests=requests, clients=CLIENTS))
    return {
        "JSON: turns/s": requests / answered.seconds,
        "JSON: CPU ms a turn": (place.cpu_seconds() - cpu) * 1000 / requests,
        "JSON: p50 ms": statistics.median(answered.milliseconds),
    }


def measure_streams(place: Place, streams: int) -> Figures:
    """Streams at the pace of a model."""
    from bench.places import PACE, TOKENS

    cpu, memory = place.cpu_seconds(), place.memory_kib()
    streamed = uvloop.run(send_streams(place.stream, streams=streams, over=1.0))
    cpu = place.cpu_seconds() - cpu
    return {
        "streams: CPU us a token": cpu * 1e6 / (streams * TOKENS),
        "streams: first frame p50 ms": statistics.median(one.first for one in streamed) * 1000,
        "streams: p99 duration / ideal": percentile([one.whole for one in streamed], 0.99)
        * PACE
        / TOKENS,
        "streams: gap p99 ms": percentile([gap for one in streamed for gap in one.gaps], 0.99)
        * 1000,
        "streams: more memory KiB each": (place.memory_kib() - memory) / streams,
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value under which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def report(rounds: dict[str, list[Figures]]) -> None:
    """Medians, side by side."""
    names = list(rounds)
    print(f"{'':<34}" + "".join(f"{name:>14}" for name in names))
    for figure in rounds[names[0]][0]:
        medians = [statistics.median(one[figure] for one in rounds[name]) for name in names]
        print(f"{figure:<34}" + "".join(f"{median:>14.2f}" for median in medians))
