"""Tests of the targets of `make bench`. Nothing is measured here."""

from __future__ import annotations

import json

import pytest

from bench.targets import (
    FLOOR,
    LITELLM,
    PARLEY,
    TWICE,
    exit_code,
    judge_targets,
    max_two_process_ratio,
    median_of,
    ratio_of,
)

GOOD = {
    PARLEY: {
        "json_rate": 400.0,
        "json_busy_cores": 1.0,
        "few_cpu_us_a_token": 50.0,
        "many_cpu_us_a_token": 20.0,
        "many_duration_p99": 1.1,
        "many_memory_kib": 40.0,
        "first_added_ms": 8.0,
    },
    TWICE: {"json_rate": 720.0},
    LITELLM: {"json_rate": 38.0, "few_cpu_us_a_token": 1500.0},
    FLOOR: {"json_rate": 500.0},
}


def good_except(server: str, **figures: float) -> dict[str, list[dict[str, float]]]:
    return {
        name: [measured | (figures if name == server else {})] for name, measured in GOOD.items()
    }


def missed(rounds: dict[str, list[dict[str, float]]], cores: int = 8) -> list[str]:
    return [one.name for one in judge_targets(rounds, cores) if not one.is_met]


def test_met_targets_exit_with_0() -> None:
    found = judge_targets(good_except(PARLEY), 8)
    assert [one.value for one in found] == [400 / 38, 0.8, 30.0, 1.1, 40.0, 8.0, 1.8]
    assert [one.reaches_aim for one in found] == [True, True, True, False, False, False, True]
    assert exit_code(found) == 0


@pytest.mark.parametrize(
    ("server", "figure", "value", "name"),
    [
        (LITELLM, "json_rate", 81.0, "JSON turns/s over LiteLLM"),
        (FLOOR, "json_rate", 670.0, "JSON turns/s over the floor"),
        (LITELLM, "few_cpu_us_a_token", 740.0, "LiteLLM's CPU a streamed token over ours"),
        (PARLEY, "many_duration_p99", 1.16, "many streams: p99 duration over ideal"),
        (PARLEY, "many_memory_kib", 61.0, "many streams: memory each"),
        (PARLEY, "first_added_ms", 12.1, "added to the first token, idle"),
        (TWICE, "json_rate", 670.0, "two processes over one"),
    ],
)
def test_missed_target_exits_with_1(server: str, figure: str, value: float, name: str) -> None:
    rounds = good_except(server, **{figure: value})
    assert missed(rounds) == [name]
    assert exit_code(judge_targets(rounds, 8)) == 1


def test_target_without_measurement_is_not_missed() -> None:
    rounds = {PARLEY: [{"first_added_ms": 8.0}]}
    found = judge_targets(rounds, 8)
    assert [one.name for one in found if one.value is not None] == [
        "added to the first token, idle"
    ]
    assert exit_code(found) == 0


def test_target_of_two_processes_depends_on_the_cores() -> None:
    rounds = good_except(PARLEY, json_busy_cores=1.6)
    assert max_two_process_ratio(rounds, 2) == 2 / 1.6
    assert missed(good_except(TWICE, json_rate=430.0), cores=1) == []
    assert missed({**rounds, TWICE: [{"json_rate": 400.0}]}, cores=2) == ["two processes over one"]
    assert max_two_process_ratio(rounds, 64) == 2.0


def test_ratio_compares_servers_within_a_round() -> None:
    rounds = {
        PARLEY: [{"json_rate": rate} for rate in (400.0, 100.0, 200.0)],
        FLOOR: [{"json_rate": rate} for rate in (500.0, 100.0, 400.0)],
    }
    assert ratio_of(rounds, PARLEY, FLOOR, "json_rate") == 0.8
    assert median_of(rounds, PARLEY, "json_rate") == 200.0
    assert ratio_of(rounds, PARLEY, LITELLM, "json_rate") is None


def test_results_can_be_read_back() -> None:
    from bench.report import read_rounds

    rounds = good_except(PARLEY)
    assert read_rounds(json.dumps({"machine": {}, "targets": [], "rounds": rounds})) == rounds
