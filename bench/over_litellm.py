"""`make bench ARGS=litellm`: what Parley adds to litellm where a model is asked through it.

One process reads the same streams of 100 tokens at 36 a second in turns: in a bare loop over
`litellm.acompletion`, and through `apps.llm.services.complete`, which is what a turn does. Both
under the settings that Parley gives litellm; the first row is litellm as it comes, before that.

--rounds 5    how often each is measured
--streams 15  streams at once
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
from apps.llm.types import ChatMessage, ModelEvent, ModelRequest, TextDelta, Timeouts
from bench.servers import MESSAGE, TOKENS, run_fake_model

MAX_RATIO = 1.10
"""What asking through Parley may cost, as a multiple of litellm itself."""

DEFAULT_SETTINGS, BARE, THROUGH_PARLEY = "litellm as it comes", "litellm, bare", "through Parley"
Read = Callable[[str], Awaitable[str]]


def main(arguments: Sequence[str]) -> int:
    """Measure, print; 1 where Parley adds more than it may."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=litellm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=15)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, run_fake_model(Path(folder)) as api_base:
        found = asyncio.run(_measure(api_base, options.rounds, options.streams))
    return _print_costs(found)


async def _measure(api_base: str, rounds: int, streams: int) -> dict[str, list[float]]:
    """CPU a token in microseconds, for each way, round by round."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    # As Python's own default has it: our INFO would have litellm write of every call.
    logging.getLogger("LiteLLM").setLevel(logging.WARNING)
    began = time.perf_counter()
    import_module("litellm")
    print(f"litellm imported in {time.perf_counter() - began:.1f} s")
    found: dict[str, list[float]] = {DEFAULT_SETTINGS: [], BARE: [], THROUGH_PARLEY: []}
    await _measure_cpu(_read_from_litellm, api_base, streams)
    for _ in range(rounds):
        found[DEFAULT_SETTINGS].append(await _measure_cpu(_read_from_litellm, api_base, streams))
    await provider.load()
    await _measure_cpu(_read_through_parley, api_base, streams)
    for _ in range(rounds):
        found[BARE].append(await _measure_cpu(_read_from_litellm, api_base, streams))
        found[THROUGH_PARLEY].append(await _measure_cpu(_read_through_parley, api_base, streams))
    await services.close_clients()
    return found


async def _measure_cpu(read: Read, api_base: str, streams: int) -> float:
    cpu = time.process_time()
    texts = await asyncio.gather(*(read(api_base) for _ in range(streams)))
    cpu = time.process_time() - cpu
    if any(len(text.split()) != TOKENS for text in texts):
        raise RuntimeError("An answer was not whole.")
    return cpu * 1e6 / (streams * TOKENS)


async def _read_from_litellm(api_base: str) -> str:
    litellm: Any = import_module("litellm")
    text = ""
    answer = await litellm.acompletion(
        model="openai/paced",
        messages=[{"role": "user", "content": MESSAGE}],
        api_base=api_base,
        api_key="none",
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in answer:
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

    def take(event: ModelEvent) -> None:
        if isinstance(event, TextDelta):
            pieces.append(event.text)

    await services.complete(request, take)
    return "".join(pieces)


def _print_costs(found: dict[str, list[float]]) -> int:
    for name, costs in found.items():
        print(f"{name:<24}{statistics.median(costs):>8.0f} µs CPU a token")
    ratio = statistics.median(
        ours / bare for ours, bare in zip(found[THROUGH_PARLEY], found[BARE], strict=True)
    )
    print(f"{'Parley over bare litellm':<24}{ratio:>8.2f} (at most {MAX_RATIO:.2f})")
    return 0 if ratio <= MAX_RATIO else 1
