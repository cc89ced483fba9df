"""What the figures are to be, and whether they are. Pure: from rounds to verdicts.

A ratio is the median of the rounds' ratios, because the places of one round shared its weather.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FLOOR, LITELLM, PARLEY, TWICE = "the floor", "LiteLLM", "Parley", "Parley, 2 processes"
MAX_TWO_PROCESS_RATIO = 1.7
MIN_SHARE_OF_POSSIBLE = 0.85

Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""For each place its rounds, each with its figures by name."""


@dataclass(frozen=True)
class Target:
    """A figure, and the value that it must reach. `aim`: what we want of it beyond that."""

    name: str
    unit: str
    value: Callable[[Rounds], float | None]
    must: float | Callable[[Rounds], float]
    aim: float | None = None
    more_is_better: bool = True

    def judge(self, rounds: Rounds) -> Verdict:
        """What was measured, against this."""
        must = self.must(rounds) if callable(self.must) else self.must
        return Verdict(
            self.name, self.unit, self.value(rounds), must, self.aim, self.more_is_better
        )


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured; `value` is None where it was not."""

    name: str
    unit: str
    value: float | None
    must: float
    aim: float | None
    more_is_better: bool

    @property
    def is_met(self) -> bool:
        """Whether nothing is wrong: what was not measured is not."""
        return self.value is None or self._reaches(self.must)

    @property
    def reaches_aim(self) -> bool:
        return self.value is not None and self.aim is not None and self._reaches(self.aim)

    def _reaches(self, limit: float) -> bool:
        assert self.value is not None
        return self.value >= limit if self.more_is_better else self.value <= limit


def median_of(rounds: Rounds, place: str, figure: str) -> float | None:
    """The median of a figure; None where no round has it."""
    found = [one[figure] for one in rounds.get(place, ()) if figure in one]
    return statistics.median(found) if found else None


def ratio_of(rounds: Rounds, over: str, under: str, figure: str) -> float | None:
    """The median, over the rounds, of one place's figure divided by another's."""
    found = [
        mine[figure] / theirs[figure]
        for mine, theirs in zip(rounds.get(over, ()), rounds.get(under, ()), strict=False)
        if figure in mine and figure in theirs
    ]
    return statistics.median(found) if found else None


def max_two_process_ratio(rounds: Rounds, cores: int) -> float:
    """How many times faster a second process could make us here: one keeps so many cores busy,
    its database, model and callers included, and there are no more than all."""
    busy = median_of(rounds, PARLEY, "json_busy_cores")
    return min(2.0, cores / busy) if busy else 2.0


def build_targets(cores: int) -> list[Target]:
    """All of them, on a machine with so many cores."""

    def ratio(over: str, under: str, figure: str) -> Callable[[Rounds], float | None]:
        return lambda rounds: ratio_of(rounds, over, under, figure)

    def most(name: str, unit: str, figure: str, must: float) -> Target:
        return Target(
            name, unit, lambda rounds: median_of(rounds, PARLEY, figure), must, more_is_better=False
        )

    def two_must(rounds: Rounds) -> float:
        return min(
            MAX_TWO_PROCESS_RATIO, MIN_SHARE_OF_POSSIBLE * max_two_process_ratio(rounds, cores)
        )

    json_over_litellm = ratio(PARLEY, LITELLM, "json_rate")
    json_over_floor = ratio(PARLEY, FLOOR, "json_rate")
    # Both at the same load, one that the proxy can hold: it falls behind from about 30 streams.
    token_over_ours = ratio(LITELLM, PARLEY, "few_cpu_us_a_token")
    two_over_one = ratio(TWICE, PARLEY, "json_rate")
    return [
        Target("JSON turns/s over LiteLLM", "x", json_over_litellm, 5, 10),
        Target("JSON turns/s over the floor", "x", json_over_floor, 0.6, 0.8),
        Target("LiteLLM's CPU a streamed token over ours", "x", token_over_ours, 15, 30),
        most("many streams: p99 duration over ideal", "x", "many_duration_p99", 1.15),
        most("many streams: memory each", "KiB", "many_memory_kib", 60),
        most("added to the first token, idle", "ms", "first_added_ms", 12),
        Target("two processes over one", "x", two_over_one, two_must, MAX_TWO_PROCESS_RATIO),
    ]


def judge_targets(rounds: Rounds, cores: int) -> list[Verdict]:
    """What was measured against what is to be."""
    return [one.judge(rounds) for one in build_targets(cores)]


def exit_code(found: Sequence[Verdict]) -> int:
    """0 when every target is met, 1 otherwise."""
    return 0 if all(one.is_met for one in found) else 1
