"""`make bench ARGS=litellm`: what Parley adds to the CPU of a model call through litellm.

One process reads the same streams of 100 tokens, 36 a second, alternately in a bare loop over
`litellm.acompletion` and through `apps.llm.services.Completion`, as a turn does. Both use the
settings that Parley gives litellm. The first row is litellm with its default settings.

--rounds 5    number of rounds
--streams 15  concurrent streams
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from apps.llm import services
from apps.llm.providers import litellm as provider
from apps.llm.types import ChatMessage, ModelRequest, TextDelta, Timeouts
from bench.servers import MESSAGE, TOKENS, run_fake_model

MAX_RATIO = 1.10
"""Maximum CPU of a call through Parley, as a multiple of litellm's."""

DEFAULT_SETTINGS, BARE, THROUGH_PARLEY = "litellm, defaults", "litellm, bare", "through Parley"
Read = Callable[[str], Awaitable[str]]


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 1 if Parley adds too much."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=litellm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=15)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, run_fake_model(Path(directory)) as api_base:
        costs = asyncio.run(_measure(api_base, options.rounds, options.streams))
    return _print_costs(costs)


async def _measure(api_base: str, rounds: int, streams: int) -> dict[str, list[float]]:
    """Return microseconds of CPU per token, by variant and round."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    # Python's default level: with our INFO, litellm would log every call.
    logging.getLogger("LiteLLM").setLevel(logging.WARNING)
    start = time.perf_counter()
    import_module("litellm")
    print(f"litellm imported in {time.perf_counter() - start:.1f} s")
    costs: dict[str, list[float]] = {DEFAULT_SETTINGS: [], BARE: [], THROUGH_PARLEY: []}
    await _measure_cpu(_read_from_litellm, api_base, streams)
    for _ in range(rounds):
        costs[DEFAULT_SETTINGS].append(await _measure_cpu(_read_from_litellm, api_base, streams))
    await provider.load()
    await _measure_cpu(_read_through_parley, api_base, streams)
    for _ in range(rounds):
        costs[BARE].append(await _measure_cpu(_read_from_litellm, api_base, streams))
        costs[THROUGH_PARLEY].append(await _measure_cpu(_read_through_parley, api_base, streams))
    await services.close_clients()
    return costs


async def _measure_cpu(read: Read, api_base: str, streams: int) -> float:
    cpu = time.process_time()
    texts = await asyncio.gather(*(read(api_base) for _ in range(streams)))
    cpu = time.process_time() - cpu
    if any(len(text.split()) != TOKENS for text in texts):
        raise RuntimeError("A reply was not complete.")
    return cpu * 1e6 / (streams * TOKENS)


async def _read_from_litellm(api_base: str) -> str:
    litellm: Any = import_module("litellm")
    text = ""
    stream = await litellm.acompletion(
        model="openai/paced",
        messages=[{"role": "user", "content": MESSAGE}],
        api_base=api_base,
        api_key="none",
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    return text


async def _read_through_parley(api_base: str) -> str:
    request = ModelRequest(
        provider="litellm",
        model="openai/paced",
        messages=(ChatMessage("user", MESSAGE),),
        temperature=None,
        max_tokens=None,
        api_base=api_base,
        api_key_env="",
        timeouts=Timeouts(connect=5, first_token=30, between_tokens=30, total=60),
    )
    pieces: list[str] = []

    def on_delta(delta: TextDelta) -> None:
        pieces.append(delta.text)

    await services.Completion(request, on_delta).run()
    return "".join(pieces)


def _print_costs(costs: dict[str, list[float]]) -> int:
    for name, values in costs.items():
        print(f"{name:<24}{statistics.median(values):>8.0f} µs CPU a token")
    ratio = statistics.median(
        ours / bare for ours, bare in zip(costs[THROUGH_PARLEY], costs[BARE], strict=True)
    )
    print(f"{'Parley over bare litellm':<24}{ratio:>8.2f} (at most {MAX_RATIO:.2f})")
    return 0 if ratio <= MAX_RATIO else 1
