"""Checks of disconnecting clients, of stopping, and of several workers."""

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.asgi_servers.servers import RunningServer, ServerVariant, run_server
from bench.asgi_servers.speed import IDLE_STREAMS, percentile, session

STREAMS = 20
Report = dict[str, Any]


async def check_disconnect(server: RunningServer, path: str, after: float) -> Report:
    """Report how and how soon views end after their clients disconnect."""
    before = len(server.events("ended"))
    async with session() as client:

        async def open_and_leave() -> float:
            task = asyncio.create_task(read_some(client, server.base + path))
            await asyncio.sleep(after)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return time.monotonic()

        left_at = min(await asyncio.gather(*(open_and_leave() for _ in range(STREAMS))))
        ended = (await server.wait_for("ended", before + STREAMS, 8))[before:]
    milliseconds = [(one["at"] - left_at) * 1000 for one in ended] or [float("nan")]
    return {
        "ended": f"{len(ended)}/{STREAMS}",
        "how": dict(Counter(one["how"] for one in ended)),
        "ms p50": round(percentile(milliseconds, 0.5), 1),
        "ms max": round(max(milliseconds), 1),
    }


async def read_some(client: aiohttp.ClientSession, url: str) -> None:
    """Read until cancelled; aiohttp then closes the connection."""
    async with client.get(url) as response:
        async for _ in response.content:
            pass


@dataclass
class StopScenario:
    """The work and options of a server when it receives SIGTERM."""

    name: str
    count: int
    extra: tuple[str, ...] = ()
    sockets: int = 0
    whole_group: bool = False
    env: dict[str, str] = field(default_factory=dict)
    probes: list[tuple[float, str, str]] = field(default_factory=list)


async def check_stop(variant: ServerVariant, stop: StopScenario, *, python: str) -> Report:
    """Send SIGTERM during streams; report what completed and in which order."""
    async with (
        run_server(variant, python=python, extra=stop.extra, env=stop.env) as server,
        session() as client,
    ):
        url = f"{server.base}/sse?count={stop.count}&interval=0.03"
        streams = [asyncio.create_task(is_stream_complete(client, url)) for _ in range(STREAMS)]
        sockets = [await client.ws_connect(f"{server.base}/ws") for _ in range(stop.sockets)]
        reused = session()
        await probe(reused, server.base)
        await asyncio.sleep(1)
        server.tree()
        at = time.monotonic()
        if stop.whole_group:
            os.killpg(server.process.pid, signal.SIGTERM)
        else:
            server.process.send_signal(signal.SIGTERM)
        prober = asyncio.create_task(keep_probing(stop, server, reused, at))
        exited = await server.wait_exit(20)
        complete = sum(await asyncio.gather(*streams)) if exited else -1
        prober.cancel()
        await asyncio.gather(prober, return_exceptions=True)
        for ws in sockets:
            await ws.close()
        await reused.close()
        return stop_report(server, stop, at, exited, complete)


async def is_stream_complete(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as response:
            return (await response.read()).endswith(b"data: [DONE]\n\n")
    except (aiohttp.ClientError, OSError):
        return False


async def keep_probing(
    stop: StopScenario, server: RunningServer, reused: aiohttp.ClientSession, at: float
) -> None:
    """Send a request on a reused and on a new connection every tenth of a second."""
    while True:
        before = (time.monotonic() - at) * 1000
        async with session() as fresh:
            stop.probes.append((before, "new", await probe(fresh, server.base)))
        stop.probes.append((before, "reused", await probe(reused, server.base)))
        await asyncio.sleep(0.1)


async def probe(client: aiohttp.ClientSession, base: str) -> str:
    """Send one small request and return its outcome: a status or a word."""
    try:
        limit = aiohttp.ClientTimeout(total=0.5)
        async with client.get(f"{base}/json", timeout=limit) as response:
            await response.read()
            return str(response.status)
    except TimeoutError:
        return "hangs"
    except aiohttp.ClientConnectorError:
        return "refused"
    except (aiohttp.ClientError, OSError):
        return "dropped"


def stop_report(
    server: RunningServer, stop: StopScenario, at: float, exited: float | None, complete: int
) -> Report:
    def after(kind: str, pick: Any = min) -> int | None:
        times = [one["at"] for one in server.events(kind)]
        return round((pick(times) - at) * 1000) if times else None

    outcomes = {
        kind: dict(Counter(found for _, which, found in stop.probes if which == kind))
        for kind in ("new", "reused")
    }
    return {
        "complete": f"{complete}/{STREAMS}",
        "how": dict(Counter(one["how"] for one in server.events("ended"))),
        "ms to own handler": after("sigterm"),
        "ms to last stream's end": after("ended", max),
        "ms to lifespan.shutdown": after("lifespan.shutdown", max),
        "streams ended after their worker's lifespan.shutdown": ended_after_shutdown(server),
        "ms to exit": round((exited - at) * 1000) if exited else None,
        "exit code": server.process.returncode,
        "requests while draining": outcomes,
    }


def ended_after_shutdown(server: RunningServer) -> int:
    """Return the number of streams that ended after their worker's lifespan.shutdown."""
    shutdowns = {one["pid"]: one["at"] for one in server.events("lifespan.shutdown")}
    return sum(one["at"] > shutdowns.get(one["pid"], one["at"]) for one in server.events("ended"))


def stop_scenarios(variant: ServerVariant) -> list[StopScenario]:
    """Return the scenarios. 100 chunks outlast SIGTERM by 2 s, 400 by 11 s."""
    limit = (variant.stop_option, "3") if variant.stop_option else ()
    long = (variant.stop_option, "8") if variant.stop_option else ()
    found = [StopScenario("default", 100), StopScenario("whole group", 100, whole_group=True)]
    if variant.stop_option:
        found += [
            StopScenario("limit 8 s", 100, long),
            StopScenario("limit 3 s, longer streams", 400, limit),
            StopScenario("own drain first, limit 8 s", 100, long, env={"BENCH_DRAIN_FIRST": "1"}),
            StopScenario("idle WebSockets, limit 8 s", 100, long, sockets=3),
        ]
    if variant.workers:
        two = (*long, "--workers", "2")
        found += [
            StopScenario("two workers, limit 8 s", 100, two),
            StopScenario("two workers, own drain first", 100, two, env={"BENCH_DRAIN_FIRST": "1"}),
        ]
    return found


async def check_workers(variant: ServerVariant, *, python: str, extra: tuple[str, ...]) -> Report:
    """Report how two workers share connections, and what happens when one is killed."""
    extra = ("--workers", "2", *extra)
    async with run_server(variant, python=python, extra=extra) as server, session() as client:
        await server.wait_for("lifespan.startup", 2, 10)
        answers = [await fresh_pid(server) for _ in range(100)]
        url = f"{server.base}/sse?count=2&interval=0.5"
        streams = await asyncio.gather(*(client.get(url) for _ in range(IDLE_STREAMS)))
        held = Counter(response.headers["X-Pid"] for response in streams)
        await asyncio.gather(*(response.read() for response in streams))
        server.tree()
        os.kill(answers[0], signal.SIGKILL)
        await asyncio.sleep(6)
        async with session() as last:
            outcome = await probe(last, server.base)
        return {
            "new connections": sorted(Counter(answers).values()),
            "streams": sorted(held.values()),
            "6 s after kill -9 of one": f"{outcome}, {len(server.tree()) - 1} children",
        }


async def fresh_pid(server: RunningServer) -> int:
    async with session() as client, client.get(f"{server.base}/json") as response:
        return int((await response.json())["pid"])


async def check_backpressure(variant: ServerVariant, *, python: str) -> Report:
    """Report whether open streams count towards granian's --backpressure."""
    extra = ("--backpressure", "4")
    async with run_server(variant, python=python, extra=extra) as server, session() as client:
        url = f"{server.base}/sse?count=2&interval=3"
        streams = [asyncio.create_task(is_stream_complete(client, url)) for _ in range(4)]
        await asyncio.sleep(0.5)
        async with session() as fifth:
            meanwhile = await probe(fifth, server.base)
        await asyncio.gather(*streams)
        return {"a request beside 4 streams at --backpressure 4": meanwhile}
