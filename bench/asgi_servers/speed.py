"""The speed measurements. Each returns figures by name for one server in one round."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import aiohttp

from bench.asgi_servers.servers import RunningServer

JSON_CONNECTIONS = 32
JSON_SECONDS = 2.5
STREAMS = 50
CHUNKS = 100
INTERVAL = 1 / 36
IDLE_STREAMS = 200
SOCKETS, MESSAGES = 20, 100
TIMEOUT = aiohttp.ClientTimeout(total=60)

Figures = dict[str, float]
Measurement = Callable[[RunningServer], Awaitable[Figures]]


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=TIMEOUT)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure_json(server: RunningServer) -> Figures:
    """Small JSON answers, from Django as it comes."""
    return await measure_requests(server, "/json", "json")


async def measure_reused_threads_json(server: RunningServer) -> Figures:
    """The same, with kept threads lent to the requests."""
    return await measure_requests(server, "/kept/json", "kept-thread json")


async def measure_requests(server: RunningServer, path: str, name: str) -> Figures:
    """Ask over kept connections, as fast as the server answers."""
    async with session() as client:

        async def ask(until: float) -> int:
            done = 0
            while time.monotonic() < until:
                async with client.get(f"{server.base}{path}") as answer:
                    await answer.read()
                done += 1
            return done

        async def all_ask(seconds: float) -> int:
            until = time.monotonic() + seconds
            return sum(await asyncio.gather(*(ask(until) for _ in range(JSON_CONNECTIONS))))

        await all_ask(0.4)
        cpu, start = server.cpu_seconds(), time.monotonic()
        done = await all_ask(JSON_SECONDS)
        spent = time.monotonic() - start
    return {
        f"{name} requests/s": done / spent,
        f"{name} CPU ms/request": (server.cpu_seconds() - cpu) * 1000 / done,
    }


async def read_stream(
    client: aiohttp.ClientSession, server: RunningServer
) -> tuple[list[float], ...]:
    """The gaps between one stream's chunks and how late each arrived, in ms."""
    gaps: list[float] = []
    lags: list[float] = []
    last = 0.0
    url = f"{server.base}/sse?count={CHUNKS}&interval={INTERVAL}"
    async with client.get(url) as answer:
        async for line in answer.content:
            now = time.monotonic()
            if not line.startswith(b"data: {"):
                continue
            lags.append((now - float(json.loads(line[6:])["at"])) * 1000)
            if last:
                gaps.append((now - last) * 1000)
            last = now
    if len(lags) != CHUNKS:
        raise RuntimeError(f"{len(lags)} chunks instead of {CHUNKS}")
    return gaps, lags


async def measure_sse(server: RunningServer) -> Figures:
    """Many streams at once at the pace of a model."""
    async with session() as client:
        cpu = server.cpu_seconds()
        streams = await asyncio.gather(*(read_stream(client, server) for _ in range(STREAMS)))
        cpu = server.cpu_seconds() - cpu
    gaps = [gap for stream in streams for gap in stream[0]]
    lags = [lag for stream in streams for lag in stream[1]]
    return {
        "sse CPU ms/chunk": cpu * 1000 / (STREAMS * CHUNKS),
        "sse gap p99 ms": percentile(gaps, 0.99),
        "sse lag p50 ms": percentile(lags, 0.5),
        "sse lag p99 ms": percentile(lags, 0.99),
    }


async def measure_memory(server: RunningServer) -> Figures:
    """What one more open stream holds."""
    async with session() as client:
        before, url = server.memory_kib(), f"{server.base}/sse?count=3&interval=30"
        answers = await asyncio.gather(*(client.get(url) for _ in range(IDLE_STREAMS)))
        await asyncio.gather(*(answer.content.readline() for answer in answers))
        held = server.memory_kib() - before
        for answer in answers:
            answer.close()
    return {"memory KiB/stream": held / IDLE_STREAMS, "memory MiB idle": before / 1024}


async def measure_websocket(server: RunningServer) -> Figures:
    """Echoes, one message in flight on each of a few sockets."""
    async with session() as client:
        together = asyncio.Barrier(SOCKETS)

        async def talk() -> list[float]:
            times = []
            async with client.ws_connect(f"{server.base}/ws") as ws:
                await together.wait()
                for _ in range(MESSAGES):
                    start = time.monotonic()
                    await ws.send_str("hello")
                    await ws.receive_str()
                    times.append((time.monotonic() - start) * 1000)
            return times

        cpu = server.cpu_seconds()
        trips = [t for one in await asyncio.gather(*(talk() for _ in range(SOCKETS))) for t in one]
        cpu = server.cpu_seconds() - cpu
    return {
        "ws CPU ms/message": cpu * 1000 / len(trips),
        "ws round trip p99 ms": percentile(trips, 0.99),
    }


MEASUREMENTS: list[Measurement] = [
    measure_sse,
    measure_memory,
    measure_websocket,
    measure_json,
    measure_reused_threads_json,
]
