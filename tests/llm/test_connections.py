"""The HTTP client of model servers, on real sockets."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apps.llm.errors import ProviderFailed
from apps.llm.http.connection import MAX_BUFFERED_BYTES
from apps.llm.http.connection_pool import ConnectionPool
from apps.llm.http.request_encoding import InvalidUrl
from tests.llm.completion_helpers import complete, openai_request
from tests.llm.fake_provider import FakeProvider, streamed_answer

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server that passes each connection to `handler`; yields its port."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(OSError, asyncio.CancelledError):
            async with aclosing_writer(writer):
                await handler(reader, writer)
                await reader.read()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)


@asynccontextmanager
async def aclosing_writer(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    created = ConnectionPool()
    yield created
    created.close()
    await asyncio.sleep(0)  # the loop closes its sockets


async def post(pool: ConnectionPool, url: str, **headers: str) -> tuple[int, bytes]:
    response = await pool.post(url, body=b"{}", headers=headers, connect_seconds=5)
    body = b""
    while piece := await response.read():
        body += piece
    response.close()
    return response.status, body


async def test_request_is_encoded(pool: ConnectionPool) -> None:
    received: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with serving(handler) as port:
        url = f"http://me:a%3Ab@localhost:{port}/v1/ü x?q=ä"
        assert await post(pool, url, Accept="text/event-stream") == (200, b"ok")
    name = base64.b64encode(b"me:a:b").decode()
    assert received[0].decode().split("\r\n") == [
        "POST /v1/%C3%BC%20x?q=%C3%A4 HTTP/1.1",
        f"Host: localhost:{port}",
        "Content-Length: 2",
        f"Authorization: Basic {name}",
        "Accept: text/event-stream",
        "",
        "{}",
    ]


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/v1", "http:///v1", "http://a:b/"])
async def test_invalid_url_is_rejected(pool: ConnectionPool, url: str) -> None:
    with pytest.raises(InvalidUrl):
        await post(pool, url)


async def test_header_value_cannot_contain_a_line_break(
    pool: ConnectionPool, unused_tcp_port: int
) -> None:
    with pytest.raises(InvalidUrl):
        await post(pool, f"http://127.0.0.1:{unused_tcp_port}/", Key="a\r\nHost: other")


async def test_idle_connection_closed_by_the_server_is_not_reused(
    pool: ConnectionPool,
) -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with serving(handler) as port:
        for _ in range(3):
            assert await post(pool, f"http://127.0.0.1:{port}/") == (200, b"ok")
            await asyncio.sleep(0.1)
    assert connections == 3


async def test_server_waits_for_a_slow_reader(pool: ConnectionPool) -> None:
    sent, size = 0, 64 * MAX_BUFFERED_BYTES

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * MAX_BUFFERED_BYTES)
            await writer.drain()
            sent += MAX_BUFFERED_BYTES

    async with serving(handler) as port:
        response = await pool.post(
            f"http://127.0.0.1:{port}/", body=b"{}", headers={}, connect_seconds=5
        )
        before = -1
        while before < sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < size
        read = 0
        while piece := await response.read():
            read += len(piece)
        response.close()
    assert (read, sent) == (size, size)


def write_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a model")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "model.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def answer_over_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    writer.write(b"".join(streamed_answer("Hello", " world")))
    await writer.drain()
    writer.close()


PROGRAM = """
import asyncio, sys
from dataclasses import replace
from tests.llm.completion_helpers import complete, sandbox_request
request = replace(sandbox_request("", "Hi"), provider="openai-wire", api_base=sys.argv[1])
print(asyncio.run(complete(request)).text)
"""


async def test_tls_certificate_is_verified(server: FakeProvider, tmp_path: Path) -> None:
    path = write_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    async with serving(answer_over_tls, tls) as port:
        base = f"https://127.0.0.1:{port}/v1"
        untrusted = await complete(openai_request(server, api_base=base))
        assert type(untrusted.failure) is ProviderFailed
        assert untrusted.failure.detail == f"tiny: SSLCertVerificationError at {base}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, base),
            env={"SSL_CERT_FILE": str(path), "PYTHONPATH": "."},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    assert output.decode() == "Hello world\n"


async def test_body_is_streamed_until_the_handler_is_done(pool: ConnectionPool) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n0\r\n\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.02)

    async def read_until(last: bytes) -> tuple[list[bytes], bytes, bool]:
        response = await pool.post(url, body=b"{}", headers={}, connect_seconds=5)
        pieces: list[bytes] = []

        def on_piece(piece: bytes) -> bool:
            pieces.append(piece)
            return piece != last

        await response.stream_to(on_piece)
        rest = await response.read() if not response.is_complete else b""
        response.close()
        return pieces, rest, response.is_complete

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/"
        assert await read_until(b"b") == ([b"a", b"b"], b"c", True)
        assert await read_until(b"") == ([b"a", b"b", b"c"], b"", True)


async def test_failing_body_handler_does_not_close_the_connection(
    pool: ConnectionPool,
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            await asyncio.sleep(0.02)
            writer.write(b"three")

    def on_piece(piece: bytes) -> bool:
        raise LookupError(piece)

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/"
        response = await pool.post(url, body=b"{}", headers={}, connect_seconds=5)
        with pytest.raises(LookupError, match="three"):
            await response.stream_to(on_piece)
        response.close()
        assert await post(pool, url) == (200, b"three")
