"""Run schedules: `python -m tests.chaos --seconds 600 --seed 1`, or `--schedules 4`.

Two run at a time, each with a workspace of its own, so each meets the other's faults, too.
Exits with 1 if a schedule violated something, and prints its number: `--first N --schedules 1`
with the same seed runs it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from itertools import count

from tests.chaos.stack import SETTINGS, Stack, run_stack

LANES = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--schedules", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--logs", action="store_true", help="print the logs after a violation")
    arguments = parser.parse_args()
    with run_stack() as stack:
        os.environ |= {name: stack.environment[name] for name in ("DATABASE_URL", "REDIS_URL")} | {
            "DJANGO_SETTINGS_MODULE": SETTINGS
        }
        import django

        django.setup()
        return run_schedules(stack, arguments)


class Runner:
    """Runs one schedule after the other in each lane."""

    def __init__(self, stack: Stack, arguments: argparse.Namespace) -> None:
        self._stack = stack
        self._arguments = arguments
        self._numbers = count(arguments.first)
        self._ends_at = time.monotonic() + arguments.seconds
        self.done = 0
        self.violated = 0
        self.faults: Counter[str] = Counter()

    async def run_lane(self) -> None:
        while (number := self._next_number()) is not None:
            await self._run(number)

    def _next_number(self) -> int | None:
        number = next(self._numbers)
        if self._arguments.schedules:
            is_over = number >= self._arguments.first + self._arguments.schedules
        else:
            is_over = time.monotonic() > self._ends_at
        return None if is_over else number

    async def _run(self, number: int) -> None:
        from tests.chaos.runs import run_schedule

        seed, started_at = self._arguments.seed, time.monotonic()
        rng = random.Random(f"{seed}-{number}")
        faults, summary, violations = await run_schedule(self._stack, rng)
        self.done += 1
        self.violated += bool(violations)
        self.faults.update(f"{fault.action} {fault.target}" for fault in faults)
        seconds = time.monotonic() - started_at
        print(f"{number}: {'; '.join(map(str, faults))} → {summary}, {seconds:.1f} s", flush=True)
        for violation in violations:
            print(f"  VIOLATION (seed {seed}, schedule {number}): {violation}", flush=True)
        if violations and self._arguments.logs:
            for name, text in self._stack.log_texts():
                print(f"--- {name}\n{text[-20_000:]}", flush=True)


def run_schedules(stack: Stack, arguments: argparse.Namespace) -> int:
    async def run() -> Runner:
        runner = Runner(stack, arguments)
        await asyncio.gather(*(runner.run_lane() for _ in range(LANES)))
        return runner

    runner = asyncio.run(run())
    print(", ".join(f"{name}: {times}" for name, times in sorted(runner.faults.items())))
    print(f"{runner.done} schedules, {runner.violated} with violations", flush=True)
    return 1 if runner.violated or not runner.done else 0


if __name__ == "__main__":
    sys.exit(main())
