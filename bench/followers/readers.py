"""Readers of one turn, in a process of their own, so that they do not slow down what is measured.

    python -m bench.followers.readers KIND COUNT ADDRESS KEY TURN < anything

KIND: `read_sse` reads to the end; `websocket_reader` follows the turn and reads nothing; `idle` connects, no
more. Says `ready` when all are connected, then how many got every frame (`read_sse`), and ends with
its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

Reader = Callable[[aiohttp.ClientSession, str, asyncio.Event], Coroutine[Any, Any, bool]]


async def read_sse(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> bool:
    """Read a stream to its end; whether every id came once, in order."""
    async with session.get(url) as response:
        connected.set()
        body = await response.read()
    ids = [int(line[4:]) for line in body.split(b"\n") if line.startswith(b"id: ")]
    return ids == list(range(1, len(ids) + 1)) and body.endswith(b"data: [DONE]\n\n")


def websocket_reader(command: dict[str, str] | None) -> Reader:
    """Open a WebSocket, say one thing if any, and read nothing."""

    async def hold(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> bool:
        async with session.ws_connect(url, max_msg_size=0, compress=0) as line:
            if command:
                await line.send_json(command)
            connected.set()
            await asyncio.Event().wait()
        return True

    return hold


async def main(kind: str, count: int, addresses: list[str], key: str, turn_id: str) -> None:
    """Connect all, say so, wait for them, say how many were whole."""
    follow = {"type": "turn.follow", "turnId": turn_id}
    kinds: dict[str, Reader] = {
        "sse": read_sse,
        "socket": websocket_reader(follow),
        "idle": websocket_reader(None),
    }
    reader = kinds[kind]
    events = [asyncio.Event() for _ in range(count)]
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {key}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=2**20,
    ) as session:
        tasks = [
            asyncio.create_task(reader(session, addresses[at % len(addresses)], event))
            for at, event in enumerate(events)
        ]
        for event in events:
            await event.wait()
        print("ready", flush=True)
        if kind == "sse":
            print(sum(await asyncio.gather(*tasks)), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    _, kind, count, addresses, key, turn_id = sys.argv
    asyncio.run(main(kind, int(count), addresses.split(","), key, turn_id))
