"""Command line; see the package's docstring."""

import argparse
import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

from bench.asgi_servers import __doc__ as usage
from bench.asgi_servers import behaviour
from bench.asgi_servers.servers import VARIANTS, ServerVariant, run_server
from bench.asgi_servers.speed import MEASUREMENTS, Figures

DISCONNECTS = {
    "streaming": ("/sse?count=400&interval=0.028", 1.0),
    "stream without chunks": ("/sse?count=3&interval=30", 1.0),
    "before the first byte": ("/slow?seconds=30", 1.0),
}


async def run_speed(variants: list[ServerVariant], *, python: str, rounds: int) -> dict[str, Any]:
    """Return medians over interleaved rounds, with the ratio to the first server."""
    found: dict[str, list[Figures]] = {variant.name: [] for variant in variants}
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else reversed(variants):
            figures: Figures = {}
            async with run_server(variant, python=python) as server:
                for measure in MEASUREMENTS:
                    figures |= await measure(server)
            found[variant.name].append(figures)
            print(f"round {number + 1} {variant.name}", flush=True)
    return {name: summary(rounds_, found[variants[0].name]) for name, rounds_ in found.items()}


def summary(rounds: list[Figures], base: list[Figures]) -> dict[str, str]:
    """Format each figure's median, range and median ratio to `base` within the same round."""
    lines = {}
    for key in rounds[0]:
        values = [one[key] for one in rounds]
        ratio = statistics.median(
            one[key] / other[key] for one, other in zip(rounds, base, strict=True)
        )
        lines[key] = (
            f"{statistics.median(values):9.3f}  [{min(values):.3f}-{max(values):.3f}]  x{ratio:.2f}"
        )
    return lines


async def run_behaviour(variant: ServerVariant, *, python: str) -> dict[str, Any]:
    """Run every check on one server."""
    report: dict[str, Any] = {}
    async with run_server(variant, python=python) as server:
        for name, (path, after) in DISCONNECTS.items():
            report[f"client leaves: {name}"] = await behaviour.check_disconnect(server, path, after)
    for stop in behaviour.stop_scenarios(variant):
        report[f"stop: {stop.name}"] = await behaviour.check_stop(variant, stop, python=python)
    if variant.workers:
        report["workers"] = await behaviour.check_workers(variant, python=python, extra=())
    if variant.module == "granian":
        respawn = ("--respawn-failed-workers",)
        report["workers, respawn"] = await behaviour.check_workers(
            variant, python=python, extra=respawn
        )
        report["backpressure"] = await behaviour.check_backpressure(variant, python=python)
    return report


async def run(options: argparse.Namespace) -> dict[str, Any]:
    variants = [one for one in VARIANTS if options.server in one.name]
    report: dict[str, Any] = {}
    if options.only != "BEHAVIOUR":
        report["speed"] = await run_speed(variants, python=options.python, rounds=options.rounds)
        show(report["speed"])
    if options.only != "SPEED":
        for variant in variants:
            report[variant.name] = await run_behaviour(variant, python=options.python)
            show({variant.name: report[variant.name]})
    return report


def show(report: dict[str, Any]) -> None:
    for name, parts in report.items():
        print(f"\n{name}")
        for key, value in parts.items():
            print(f"  {key:32} {value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.asgi_servers",
        description=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--python", required=True, help="the Python that holds the servers")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 21))
    parser.add_argument("--only", choices=["SPEED", "BEHAVIOUR"])
    parser.add_argument("--server", default="", help="only servers whose name contains this")
    parser.add_argument("--json", type=Path, help="write the whole report here")
    options = parser.parse_args()
    report = asyncio.run(run(options))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
