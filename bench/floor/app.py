"""The floor: a minimal ASGI program that runs turns, as a lower bound for the cost of a turn.

It uses the SQL of Parley's turns with the same batching, the same Redis script, and calls the
model. It has no Django, validation, error handling or logging. Its API key and its chatbot are in
the environment. What Parley costs more is the cost of its features.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import redis.asyncio as redis
from psycopg_pool import AsyncConnectionPool

from apps.infrastructure.concurrency.batching import Batcher
from apps.infrastructure.postgres.lock_and_write import LockingConnection
from apps.infrastructure.redis.rate_limit_script import ADMIT_SCRIPT
from apps.turns.sql import OPEN, SETTLE, encode_rows, lock_accounts

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]

CALLER = json.loads(os.environ["FLOOR_CALLER"])
KEY_DIGEST = CALLER["key_digest"]
HEADERS_JSON = [(b"content-type", b"application/json")]
HEADERS_SSE = [(b"content-type", b"text/event-stream")]


class Connections:
    """Connections and batchers of this process."""

    async def open(self) -> None:
        options = {"autocommit": True, "options": "-c plan_cache_mode=force_generic_plan"}
        self.database: AsyncConnectionPool[LockingConnection] = AsyncConnectionPool(
            os.environ["DATABASE_URL"],
            connection_class=LockingConnection,
            min_size=8,
            max_size=8,
            kwargs=options,
            open=False,
        )
        await self.database.open(wait=True)
        self.redis = redis.from_url(os.environ["REDIS_URL"])
        self.admit = self.redis.register_script(ADMIT_SCRIPT)
        self.model = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000))
        self.opening: Batcher[Message, Any] = Batcher(_execute_batch(OPEN), concurrency=2)
        self.settling: Batcher[Message, Any] = Batcher(_execute_batch(SETTLE), concurrency=2)


connections = Connections()


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await receive()
        await connections.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    request = json.loads((await receive())["body"])
    headers = dict(scope["headers"])
    secret = headers[b"authorization"].removeprefix(b"Bearer ")
    if hashlib.sha256(secret).hexdigest() != KEY_DIGEST:
        raise PermissionError
    await connections.admit(
        [f"floor:{CALLER['chatbot_id']}", "changes", "floor:turns", "floor:characters"],
        [10_000, 1000, secrets.token_hex(8), 10**6, 60_000, 1, 10**12, 3_600_000, 100],
    )
    turn = await _open(request["message"])
    await (_respond_stream if request["stream"] else _respond_json)(turn, request, send)


async def _respond_json(turn: Message, request: Message, send: Send) -> None:
    text = ""
    async for delta in _stream_model(request):
        text += delta
    balance = await _settle(turn, text)
    data = {"response": text, "turnId": turn["id"], "credits": {"balance": balance}}
    body = json.dumps({"success": True, "data": data}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS_JSON})
    await send({"type": "http.response.body", "body": body})


async def _respond_stream(turn: Message, request: Message, send: Send) -> None:
    text = ""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS_SSE})
    async for delta in _stream_model(request):
        text += delta
        frame = f"event: message.delta\ndata: {json.dumps({'delta': delta})}\n\n".encode()
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    balance = await _settle(turn, text)
    last = f"data: {json.dumps({'response': text, 'balance': balance})}\n\ndata: [DONE]\n\n"
    await send({"type": "http.response.body", "body": last.encode()})


async def _stream_model(request: Message) -> Any:
    body = {
        "model": request["model"],
        "messages": [{"role": "user", "content": request["message"]}],
        "stream": True,
    }
    async with connections.model.post(
        f"{CALLER['api_base']}/chat/completions", json=body
    ) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and (text := choices[0]["delta"].get("content")):
                    yield text


async def _open(message: str) -> Message:
    turn = {
        **{name: _new_id() for name in ("id", "conversation_id", "message_id", "user_message_id")},
        **CALLER["turn"],
        "begins": True,
        "source": "api",
        "text": message,
        "request_digest": hashlib.sha256(message.encode()).hexdigest(),
        "request_id": f"req_{secrets.token_hex(12)}",
        "process": "",
        "queue_ms": 0,
        "max_running": 1_000_000,
    }
    await connections.opening.execute(turn)
    return turn


async def _settle(turn: Message, text: str) -> int:
    settled = {
        **{name: turn[name] for name in ("workspace_id", "conversation_id", "id")},
        "message_id": turn["message_id"],
        "entry_id": _new_id(),
        "status": "completed",
        "price": 1,
        "text": text,
        "delta_lengths": [len(text)],
        "finish_reason": "stop",
        "error_code": "",
        "input_tokens": 1,
        "output_tokens": 1,
    }
    balance: int = (await connections.settling.execute(settled))[2]
    return balance


def _execute_batch(statement: str) -> Callable[[Sequence[Message]], Awaitable[Sequence[Any]]]:
    async def execute(rows: Sequence[Message]) -> Sequence[Any]:
        write = statement, encode_rows(rows)
        async with connections.database.connection() as connection:
            return sorted(await connection.lock_and_write(lock_accounts(rows), write))

    return execute


def _new_id() -> str:
    return f"c{time.time_ns() // 1_000_000:09x}"[:10] + secrets.token_hex(8)[:15]
