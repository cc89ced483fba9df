"""The targets of `make bench`, and functions that compare measured figures with them.

A ratio is the median of the rounds' ratios, because servers of one round share its conditions.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FLOOR, LITELLM, PARLEY, TWICE = "the floor", "LiteLLM", "Parley", "Parley, 2 processes"
MAX_TWO_PROCESS_RATIO = 1.7
MIN_SHARE_OF_POSSIBLE = 0.85

Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""Server name to its rounds, each with its figures by name."""


@dataclass(frozen=True)
class Target:
    """A figure and the value that it must reach. `aim` is a better value that we want to reach."""

    name: str
    unit: str
    value: Callable[[Rounds], float | None]
    must: float | Callable[[Rounds], float]
    aim: float | None = None
    more_is_better: bool = True

    def judge(self, rounds: Rounds) -> Verdict:
        """Compare the measured figure with this target."""
        must = self.must(rounds) if callable(self.must) else self.must
        return Verdict(
            self.name, self.unit, self.value(rounds), must, self.aim, self.more_is_better
        )


@dataclass(frozen=True)
class Verdict:
    """A target with its measured value, which is None if it was not measured."""

    name: str
    unit: str
    value: float | None
    must: float
    aim: float | None
    more_is_better: bool

    @property
    def is_met(self) -> bool:
        """Return True unless the figure was measured and misses the target."""
        return self.value is None or self._reaches(self.must)

    @property
    def reaches_aim(self) -> bool:
        return self.value is not None and self.aim is not None and self._reaches(self.aim)

    def _reaches(self, limit: float) -> bool:
        assert self.value is not None
        return self.value >= limit if self.more_is_better else self.value <= limit


def median_of(rounds: Rounds, server: str, figure: str) -> float | None:
    """Return the median of a figure, or None if no round has it."""
    values = [one[figure] for one in rounds.get(server, ()) if figure in one]
    return statistics.median(values) if values else None


def ratio_of(rounds: Rounds, over: str, under: str, figure: str) -> float | None:
    """Return the median, over the rounds, of one server's figure divided by another's."""
    ratios = [
        dividend[figure] / divisor[figure]
        for dividend, divisor in zip(rounds.get(over, ()), rounds.get(under, ()), strict=False)
        if figure in dividend and figure in divisor
    ]
    return statistics.median(ratios) if ratios else None


def max_two_process_ratio(rounds: Rounds, cores: int) -> float:
    """Return the maximum speedup by a second process on this machine.

    One process, with database, model and clients, keeps `json_busy_cores` of `cores` busy.
    """
    busy = median_of(rounds, PARLEY, "json_busy_cores")
    return min(2.0, cores / busy) if busy else 2.0


def build_targets(cores: int) -> list[Target]:
    """Return all targets for a machine with this number of cores."""

    def ratio(over: str, under: str, figure: str) -> Callable[[Rounds], float | None]:
        return lambda rounds: ratio_of(rounds, over, under, figure)

    def at_most(name: str, unit: str, figure: str, must: float) -> Target:
        return Target(
            name, unit, lambda rounds: median_of(rounds, PARLEY, figure), must, more_is_better=False
        )

    def min_ratio(rounds: Rounds) -> float:
        return min(
            MAX_TWO_PROCESS_RATIO, MIN_SHARE_OF_POSSIBLE * max_two_process_ratio(rounds, cores)
        )

    json_over_litellm = ratio(PARLEY, LITELLM, "json_rate")
    json_over_floor = ratio(PARLEY, FLOOR, "json_rate")
    # Both at a load that the proxy can serve: it cannot keep up with more than about 30 streams.
    token_over_ours = ratio(LITELLM, PARLEY, "few_cpu_us_a_token")
    two_over_one = ratio(TWICE, PARLEY, "json_rate")
    return [
        Target("JSON turns/s over LiteLLM", "x", json_over_litellm, 5, 10),
        Target("JSON turns/s over the floor", "x", json_over_floor, 0.6, 0.8),
        Target("LiteLLM's CPU a streamed token over ours", "x", token_over_ours, 15, 30),
        at_most("many streams: p99 duration over ideal", "x", "many_duration_p99", 1.15),
        at_most("many streams: memory each", "KiB", "many_memory_kib", 60),
        at_most("added to the first token, idle", "ms", "first_added_ms", 12),
        Target("two processes over one", "x", two_over_one, min_ratio, MAX_TWO_PROCESS_RATIO),
    ]


def judge_targets(rounds: Rounds, cores: int) -> list[Verdict]:
    """Compare the measured figures with all targets."""
    return [one.judge(rounds) for one in build_targets(cores)]


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 0 if every target is met, else 1."""
    return 0 if all(one.is_met for one in verdicts) else 1
