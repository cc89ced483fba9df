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
from bench.litellm_proxy import litellm_proxy
from bench.load import Target, send_json
from bench.measurements import (
    Figures,
    Size,
    few_streams,
    idle_turns,
    json_turns,
    many_streams,
)
from bench.processes import memory_kib
from bench.servers import Place, bare, floor, make_tenant, parley, upstream

PLACES = ("parley", "twice", "litellm", "floor")
KINDS = ("json", "few", "many", "idle")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(PLACES))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--many", type=int, default=300)
    options = parser.parse_args(arguments)
    size = Size(many=options.many)
    if options.quick:
        size = Size(json_seconds=1.5, turns=1, many=options.many, idle_turns=3)
    kinds = set(options.kinds.split(","))
    with places(set(options.only.split(","))) as (model, found):
        rounds: dict[str, list[Figures]] = {place.name: [] for place in found}
        for place in found:
            uvloop.run(send_json(place.json, seconds=1, clients=4))
        rest: dict[str, float] = {}
        for number in range(1 if options.quick else options.rounds):
            print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
            for name, figures in one_round(found, model, size, kinds, rest).items():
                rounds[name].append(figures)
    cores = os.cpu_count() or 1
    judged = targets.verdicts(rounds, cores)
    report.print_figures(rounds)
    report.print_verdicts(judged)
    report.write(rounds, judged, cores=cores)
    return targets.exit_code(judged)


def one_round(
    found: Sequence[Place], model: Target, size: Size, kinds: set[str], rest: dict[str, float]
) -> dict[str, Figures]:
    """Every load, at one place after the other. `rest`: each one's memory before its first many
    streams."""
    told: dict[str, Figures] = {place.name: {} for place in found}
    single = [place for place in found if place.name != targets.TWICE]
    if "json" in kinds:
        for place in found:
            told[place.name] |= json_turns(place, size)
    if "few" in kinds:
        for place in single:
            told[place.name] |= few_streams(place, size)
    if "many" in kinds:
        for place in single:
            if place.name != targets.LITELLM:  # it falls behind from about 30
                before = rest.setdefault(place.name, memory_kib(place.pid))
                told[place.name] |= many_streams(place, size, before)
    if "idle" in kinds:
        for place, figures in zip(single, idle_turns(single, model, size), strict=True):
            told[place.name] |= figures
    return told


@contextmanager
def places(names: set[str]) -> Iterator[tuple[Target, list[Place]]]:
    """The fake model and the servers, ready; stopped afterwards."""
    if unknown := names - set(PLACES):
        sys.exit(f"No such place: {', '.join(sorted(unknown))}. There are: {', '.join(PLACES)}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api_base = stack.enter_context(upstream(folder))
        tenant = make_tenant(api_base)
        ways: dict[str, Callable[[], AbstractContextManager[Place]]] = {
            "parley": lambda: parley(targets.PARLEY, tenant, folder),
            "twice": lambda: parley(targets.TWICE, tenant, folder, workers=2),
            "litellm": lambda: litellm_proxy(api_base, folder),
            "floor": lambda: floor(tenant, api_base, folder),
        }
        found = [stack.enter_context(way()) for name, way in ways.items() if name in names]
        yield bare(api_base), found
