"""Which faults happen in a schedule, and when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.stack import WEB_NAMES, Stack

LOAD_SECONDS = 2.0
FROZEN_SECONDS = (0.3, 3.0)


@dataclass(frozen=True)
class Fault:
    """After `at` seconds `action` happens to `target`; a freeze lasts `seconds`."""

    at: float
    action: str
    target: str
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:.1f} s: {self.action} {self.target}{lasting}"


_WEIGHTS = {
    ("kill", "web"): 4,
    ("terminate", "web"): 3,
    ("freeze", "web"): 2,
    ("kill", "postgres"): 2,
    ("freeze", "postgres"): 2,
    ("cut", "postgres"): 3,
    ("kill", "valkey"): 2,
    ("freeze", "valkey"): 2,
    ("cut", "valkey"): 2,
    ("kill", "worker"): 2,
    ("terminate", "worker"): 1,
    ("kill", "beat"): 1,
}


def make_schedule(rng: random.Random) -> list[Fault]:
    """One to three faults, in order."""
    choices = rng.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()), k=rng.randint(1, 3))
    faults = []
    for action, kind in choices:
        target = rng.choice(WEB_NAMES) if kind == "web" else kind
        seconds = rng.uniform(*FROZEN_SECONDS) if action == "freeze" else 0.0
        faults.append(Fault(rng.uniform(0.2, LOAD_SECONDS), action, target, seconds))
    return sorted(faults, key=lambda fault: fault.at)


async def inject(fault: Fault, stack: Stack, cut: Callable[[str], None]) -> None:
    """Wait until it is time, and do it. `cut(target)` closes the connections of all clients."""
    await asyncio.sleep(fault.at)
    match fault.action:
        case "kill":
            await asyncio.to_thread(stack.kill, fault.target)
        case "terminate":
            await asyncio.to_thread(stack.terminate, fault.target)
        case "cut":
            await asyncio.to_thread(cut, fault.target)
        case "freeze":
            await asyncio.to_thread(stack.freeze, fault.target)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(stack.thaw)
