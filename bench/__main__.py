"""`make bench`: what a turn costs, as ratios in one run.

One web process as it ships (key, limit, hold, history, settlement), answering from the sandbox's
echo, beside the same process's /healthz, which does none of that. The two are measured in turns,
so that a noisy machine is fair to both. Prints a table and writes bench/results.json.

`python -m bench floor` measures Parley beside the least that a turn can cost: `against_floor.py`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from bench.turns import Subject

ROUNDS = 5
REQUESTS = 200
CLIENTS = 16
RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Round:
    """One measurement: requests a second, and the server's CPU in ms a request."""

    rate: float
    cpu_ms: float


def main() -> None:
    """Measure, print, write."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if sys.argv[1:2] == ["floor"]:
        from bench import against_floor

        against_floor.main(sys.argv[2:])
        return
    from bench.turns import subjects

    with ExitStack() as stack:
        found = subjects(stack)
        rounds: dict[str, list[Round]] = {subject.name: [] for subject in found}
        for subject in found:
            measure(subject)
        for _ in range(ROUNDS):
            for subject in found:
                rounds[subject.name].append(measure(subject))
    report(rounds)


def measure(subject: Subject) -> Round:
    """One round: a bounded number of requests by a bounded number of clients."""
    from bench.turns import send

    cpu, began = subject.cpu_seconds(), time.perf_counter()
    asyncio.run(send(subject, requests=REQUESTS, clients=CLIENTS))
    seconds = time.perf_counter() - began
    return Round(REQUESTS / seconds, (subject.cpu_seconds() - cpu) * 1000 / REQUESTS)


def report(rounds: dict[str, list[Round]]) -> None:
    """Medians, and each one's ratio to the first subject's."""
    first = next(iter(rounds.values()))
    base = statistics.median(one.cpu_ms for one in first)
    print(f"{'':<24}{'requests/s':>12}{'CPU ms each':>14}{'CPU, ratio':>12}")
    for name, measured in rounds.items():
        rate = statistics.median(one.rate for one in measured)
        cpu = statistics.median(one.cpu_ms for one in measured)
        print(f"{name:<24}{rate:>12.0f}{cpu:>14.2f}{cpu / base:>12.1f}")
    written = {name: [asdict(one) for one in measured] for name, measured in rounds.items()}
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    main()
