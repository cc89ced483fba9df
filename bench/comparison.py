"""`make bench`: Parley as it ships, LiteLLM's proxy and the floor, in rounds that take turns.

--rounds 3            how often each is measured
--quick               one short round, to see that it runs
--only parley,floor   some of the places: parley, twice, litellm, floor
--kinds json,few      some of the loads: json, few, many, idle
--many 500            streams at once
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import uvloop

from bench import report, targets
from bench.litellm_proxy import run_litellm_proxy
from bench.load import Target, run_json_load
from bench.measurements import (
    Figures,
    LoadSize,
    measure_few_streams,
    measure_idle_turns,
    measure_json,
    measure_many_streams,
)
from bench.processes import memory_kib
from bench.servers import (
    Server,
    fake_model_target,
    make_tenant,
    run_fake_model,
    run_floor,
    run_parley,
)

SERVERS = ("parley", "twice", "litellm", "floor")
LOADS = ("json", "few", "many", "idle")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(SERVERS))
    parser.add_argument("--kinds", default=",".join(LOADS))
    parser.add_argument("--many", type=int, default=300)
    options = parser.parse_args(arguments)
    size = LoadSize(many_streams=options.many)
    if options.quick:
        size = LoadSize(
            json_seconds=1.5, turns_per_stream=1, many_streams=options.many, idle_turns=3
        )
    kinds = set(options.kinds.split(","))
    with start_servers(set(options.only.split(","))) as (model, found):
        rounds: dict[str, list[Figures]] = {place.name: [] for place in found}
        for place in found:
            uvloop.run(run_json_load(place.json, seconds=1, clients=4))
        rest: dict[str, float] = {}
        for number in range(1 if options.quick else options.rounds):
            print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
            for name, figures in run_round(found, model, size, kinds, rest).items():
                rounds[name].append(figures)
    cores = os.cpu_count() or 1
    judged = targets.judge_targets(rounds, cores)
    report.print_figures(rounds)
    report.print_verdicts(judged)
    report.write_results(rounds, judged, cores=cores)
    return targets.exit_code(judged)


def run_round(
    found: Sequence[Server], model: Target, size: LoadSize, kinds: set[str], rest: dict[str, float]
) -> dict[str, Figures]:
    """Every load, at one place after the other. `rest`: each one's memory before its first many
    streams."""
    told: dict[str, Figures] = {place.name: {} for place in found}
    single = [place for place in found if place.name != targets.TWICE]
    if "json" in kinds:
        for place in found:
            told[place.name] |= measure_json(place, size)
    if "few" in kinds:
        for place in single:
            told[place.name] |= measure_few_streams(place, size)
    if "many" in kinds:
        for place in single:
            if place.name != targets.LITELLM:  # it falls behind from about 30
                before = rest.setdefault(place.name, memory_kib(place.pid))
                told[place.name] |= measure_many_streams(place, size, before)
    if "idle" in kinds:
        for place, figures in zip(single, measure_idle_turns(single, model, size), strict=True):
            told[place.name] |= figures
    return told


@contextmanager
def start_servers(names: set[str]) -> Iterator[tuple[Target, list[Server]]]:
    """The fake model and the servers, ready; stopped afterwards."""
    if unknown := names - set(SERVERS):
        sys.exit(f"No such place: {', '.join(sorted(unknown))}. There are: {', '.join(SERVERS)}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api_base = stack.enter_context(run_fake_model(folder))
        tenant = make_tenant(api_base)
        ways: dict[str, Callable[[], AbstractContextManager[Server]]] = {
            "parley": lambda: run_parley(targets.PARLEY, tenant, folder),
            "twice": lambda: run_parley(targets.TWICE, tenant, folder, workers=2),
            "litellm": lambda: run_litellm_proxy(api_base, folder),
            "floor": lambda: run_floor(tenant, api_base, folder),
        }
        found = [stack.enter_context(way()) for name, way in ways.items() if name in names]
        yield fake_model_target(api_base), found
