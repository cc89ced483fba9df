"""Read one turn with many clients, in a separate process, so that they do not slow the servers.

    python -m bench.followers.readers KIND COUNT URLS KEY TURN

KIND: `sse` reads the stream to its end; `socket` follows the turn over a WebSocket and reads
nothing; `idle` only connects. Prints `ready` when all are connected, for `sse` then the number of
clients that received every frame, and exits at the end of standard input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

Reader = Callable[[aiohttp.ClientSession, str, asyncio.Event], Coroutine[Any, Any, bool]]


async def read_sse(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> bool:
    """Read a stream to its end; return True if every id came once and in order."""
    async with session.get(url) as response:
        connected.set()
        body = await response.read()
    ids = [int(line[4:]) for line in body.split(b"\n") if line.startswith(b"id: ")]
    return ids == list(range(1, len(ids) + 1)) and body.endswith(b"data: [DONE]\n\n")


def websocket_reader(command: dict[str, str] | None) -> Reader:
    """Return a reader that opens a WebSocket, sends `command`, if any, and reads nothing."""

    async def hold(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> bool:
        async with session.ws_connect(url, max_msg_size=0, compress=0) as websocket:
            if command:
                await websocket.send_json(command)
            connected.set()
            await asyncio.Event().wait()
        return True

    return hold


async def main(kind: str, count: int, urls: list[str], key: str, turn_id: str) -> None:
    """Run the readers and print their state as the module says."""
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
            asyncio.create_task(reader(session, urls[at % len(urls)], event))
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
    _, kind, count, urls, key, turn_id = sys.argv
    asyncio.run(main(kind, int(count), urls.split(","), key, turn_id))
