"""A fake model server with OpenAI's API that uses little CPU and sends tokens at a fixed rate.

    python -m bench.fake_model --port 9000 --tokens 100 --pace 36

The model `at-once` replies as fast as possible. Any other model sends `pace` tokens a second, and
`brief` ends after ten tokens. Each stream has its own timer, so that streams do not send at the
same moments. Uses an asyncio protocol, because it shares the machine with the servers under test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any, cast

import uvloop

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
BRIEF_TOKENS = 10


class FakeReply:
    """A reply in OpenAI's format, encoded once: as JSON and as chunks of a stream."""

    def __init__(self, tokens: int) -> None:
        words = [f" word{number:03}" for number in range(tokens)]
        usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": tokens + 7}
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps(
            self._completion("chat.completion", choices=[choice], usage=usage)
        ).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
        self.json_response = head.format(len(body)).encode() + body
        self.chunks = [self._chunk({"role": "assistant", "content": words[0]})]
        self.chunks += [self._chunk({"content": word}) for word in words[1:]]
        self.end = (
            self._chunk({}, "stop")
            + self._usage(usage)
            + _chunked(b"data: [DONE]\n\n")
            + LAST_CHUNK
        )
        self.whole_stream = STREAM_HEAD + b"".join(self.chunks) + self.end

    def _completion(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "paced", **fields}

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(self._completion("chat.completion.chunk", choices=[choice]))

    def _usage(self, usage: dict[str, int]) -> bytes:
        return _event(self._completion("chat.completion.chunk", choices=[], usage=usage))


def _event(data: object) -> bytes:
    return _chunked(f"data: {json.dumps(data)}\n\n".encode())


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


class Connection(asyncio.Protocol):
    """A keep-alive connection with one request at a time."""

    def __init__(self, reply: FakeReply, brief: FakeReply, pause: float) -> None:
        self._reply = reply
        self._brief = brief
        self._pause = pause
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _content_length(head):
            return
        self._received = b""
        request = json.loads(body)
        if not request.get("stream"):
            self._transport.write(self._reply.json_response)
        elif request["model"] == "at-once":
            self._transport.write(self._reply.whole_stream)
        else:
            self._transport.write(STREAM_HEAD)
            reply = self._brief if request["model"] == "brief" else self._reply
            at = self._loop.time() + self._pause
            self._timer = self._loop.call_at(at, self._send_chunk, reply, 0, at)

    def _send_chunk(self, reply: FakeReply, number: int, at: float) -> None:
        self._transport.write(reply.chunks[number])
        number += 1
        if number == len(reply.chunks):
            self._transport.write(reply.end)
            return
        at += self._pause
        self._timer = self._loop.call_at(at, self._send_chunk, reply, number, at)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int, tokens: int, pace: float) -> None:
    """Serve on 127.0.0.1 until cancelled; print the base URL when ready."""
    reply, brief = FakeReply(tokens), FakeReply(BRIEF_TOKENS)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(reply, brief, 1 / pace), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake model server for benchmarks.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--pace", type=float, default=36.0, help="tokens a second")
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.tokens, options.pace))


if __name__ == "__main__":
    main()
