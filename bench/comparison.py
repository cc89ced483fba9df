"""`make bench`: compare Parley, LiteLLM's proxy and the floor, in alternating rounds.

--rounds 3            number of rounds
--quick               one short round, to check that it runs
--only parley,floor   some of the servers: parley, twice, litellm, floor
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
    create_bench_tenant,
    fake_model_target,
    run_fake_model,
    run_floor,
    run_parley,
)

SERVERS = ("parley", "twice", "litellm", "floor")
LOADS = ("json", "few", "many", "idle")


def main(arguments: Sequence[str]) -> int:
    """Measure, print the results, write them to files and return the exit code."""
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
    loads = set(options.kinds.split(","))
    with start_servers(set(options.only.split(","))) as (model, servers):
        rounds: dict[str, list[Figures]] = {server.name: [] for server in servers}
        for server in servers:
            uvloop.run(run_json_load(server.json, seconds=1, clients=4))
        idle_memory: dict[str, float] = {}
        for number in range(1 if options.quick else options.rounds):
            print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
            for name, figures in run_round(servers, model, size, loads, idle_memory).items():
                rounds[name].append(figures)
    cores = os.cpu_count() or 1
    verdicts = targets.judge_targets(rounds, cores)
    report.print_figures(rounds)
    report.print_verdicts(verdicts)
    report.write_results(rounds, verdicts, cores=cores)
    return targets.exit_code(verdicts)


def run_round(
    servers: Sequence[Server],
    model: Target,
    size: LoadSize,
    loads: set[str],
    idle_memory: dict[str, float],
) -> dict[str, Figures]:
    """Run each load on one server after the other; return the figures of each server.

    `idle_memory` is filled with each server's memory before its first many streams.
    """
    figures: dict[str, Figures] = {server.name: {} for server in servers}
    single = [server for server in servers if server.name != targets.TWICE]
    if "json" in loads:
        for server in servers:
            figures[server.name] |= measure_json(server, size)
    if "few" in loads:
        for server in single:
            figures[server.name] |= measure_few_streams(server, size)
    if "many" in loads:
        for server in single:
            if server.name != targets.LITELLM:  # it cannot keep up with more than about 30
                before = idle_memory.setdefault(server.name, memory_kib(server.pid))
                figures[server.name] |= measure_many_streams(server, size, before)
    if "idle" in loads:
        for server, added in zip(single, measure_idle_turns(single, model, size), strict=True):
            figures[server.name] |= added
    return figures


@contextmanager
def start_servers(names: set[str]) -> Iterator[tuple[Target, list[Server]]]:
    """Run the fake model and the servers; yields its request target and the servers."""
    if unknown := names - set(SERVERS):
        sys.exit(f"No such server: {', '.join(sorted(unknown))}. There are: {', '.join(SERVERS)}.")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api_base = stack.enter_context(run_fake_model(directory))
        tenant = create_bench_tenant(api_base)
        starters: dict[str, Callable[[], AbstractContextManager[Server]]] = {
            "parley": lambda: run_parley(targets.PARLEY, tenant, directory),
            "twice": lambda: run_parley(targets.TWICE, tenant, directory, workers=2),
            "litellm": lambda: run_litellm_proxy(api_base, directory),
            "floor": lambda: run_floor(tenant, api_base, directory),
        }
        servers = [
            stack.enter_context(start()) for name, start in starters.items() if name in names
        ]
        yield fake_model_target(api_base), servers
