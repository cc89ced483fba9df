"""Speed measurements. Each returns figures by name for one server in one round."""

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
    """Measure small JSON responses of Django's own handler."""
    return await measure_requests(server, "/json", "json")


async def measure_reused_threads_json(server: RunningServer) -> Figures:
    """Measure small JSON responses of the handler that reuses threads."""
    return await measure_requests(server, "/reused/json", "reused-thread json")


async def measure_requests(server: RunningServer, path: str, name: str) -> Figures:
    """Send requests on reused connections as fast as the server responds."""
    async with session() as client:

        async def send_requests(until: float) -> int:
            done = 0
            while time.monotonic() < until:
                async with client.get(f"{server.base}{path}") as response:
                    await response.read()
                done += 1
            return done

        async def run_clients(seconds: float) -> int:
            until = time.monotonic() + seconds
            return sum(
                await asyncio.gather(*(send_requests(until) for _ in range(JSON_CONNECTIONS)))
            )

        await run_clients(0.4)  # warm up
        cpu, start = server.cpu_seconds(), time.monotonic()
        done = await run_clients(JSON_SECONDS)
        seconds = time.monotonic() - start
    return {
        f"{name} requests/s": done / seconds,
        f"{name} CPU ms/request": (server.cpu_seconds() - cpu) * 1000 / done,
    }


async def read_stream(
    client: aiohttp.ClientSession, server: RunningServer
) -> tuple[list[float], ...]:
    """Return the gaps between a stream's chunks and the delay of each, in ms."""
    gaps: list[float] = []
    lags: list[float] = []
    last = 0.0
    url = f"{server.base}/sse?count={CHUNKS}&interval={INTERVAL}"
    async with client.get(url) as response:
        async for line in response.content:
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
    """Measure concurrent streams at the pace of a model."""
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
    """Measure the memory of an open stream."""
    async with session() as client:
        before, url = server.memory_kib(), f"{server.base}/sse?count=3&interval=30"
        answers = await asyncio.gather(*(client.get(url) for _ in range(IDLE_STREAMS)))
        await asyncio.gather(*(response.content.readline() for response in answers))
        used = server.memory_kib() - before
        for response in answers:
            response.close()
    return {"memory KiB/stream": used / IDLE_STREAMS, "memory MiB idle": before / 1024}


async def measure_websocket(server: RunningServer) -> Figures:
    """Measure echoes, with one message at a time on each socket."""
    async with session() as client:
        barrier = asyncio.Barrier(SOCKETS)

        async def talk() -> list[float]:
            times = []
            async with client.ws_connect(f"{server.base}/ws") as ws:
                await barrier.wait()
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
