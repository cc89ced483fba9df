"""Send requests to customers' URLs without giving access to our network (SSRF).

The URL is parsed strictly by `url_validation`. Its host name is resolved once, every address must
be public, and the connection goes to one of those addresses, with the name kept for TLS and the
Host header (`pinned_session`). Redirects are not followed, proxies of the environment are not used,
and one deadline covers the whole request.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from apps.infrastructure.http.pinned_session import (
    Resolver,
    pinned_session,
    resolve_host,
    resolve_target,
    url_of,
)
from apps.infrastructure.http.request_errors import (
    ConnectionFailed,
    RequestFailed,
    RequestTimedOut,
    TlsFailed,
)
from apps.infrastructure.http.response_bodies import (
    ACCEPTED_ENCODINGS,
    PACE_SECONDS,
    read_within_limits,
)
from apps.infrastructure.http.retry_after import parse_retry_after
from apps.infrastructure.http.url_validation import Target, parse_target

__all__ = [
    "MAX_BODY_BYTES",
    "GetLimits",
    "GetResponse",
    "HttpResponse",
    "RequestFailed",
    "RequestTimedOut",
    "Resolver",
    "get",
    "post",
    "resolve_host",
]

_Response = TypeVar("_Response")
_Request = Callable[[aiohttp.ClientSession], AbstractAsyncContextManager[aiohttp.ClientResponse]]

MAX_BODY_BYTES = 4096
"""How much of the response to a POST is read before the connection is closed."""

_BODY_SECONDS = 2.0
# Status and headers decide; a slow body must not keep a worker waiting.


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The status, the beginning of the body, and how many seconds Retry-After asks to wait."""

    status: int
    body: bytes
    retry_after: int | None


@dataclass(frozen=True, slots=True)
class GetResponse:
    """A response with its whole body, decompressed.

    `headers`: lower-case name → all values, in order. `retry_after`: seconds.
    """

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    retry_after: int | None

    def header(self, name: str) -> str:
        """The first value of a header, "" without one."""
        values = self.headers.get(name.lower())
        return values[0] if values else ""


@dataclass(frozen=True, slots=True)
class GetLimits:
    """`seconds` covers everything from the DNS lookup to the last byte.

    `max_bytes`: of the body as sent, and decompressed. A larger one is a failure, or is cut if
    `is_cut`. `min_bytes_per_second`: of the body, on average, seen every `pace_seconds`.
    """

    seconds: float
    max_bytes: int
    is_cut: bool = False
    min_bytes_per_second: int = 100
    pace_seconds: float = PACE_SECONDS


WantsBody = Callable[[GetResponse], bool]
"""Whether to read the body of a response, of which only status and headers are known yet."""


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    allow_private: bool,
    resolve: Resolver = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> HttpResponse:
    """POST `body` and return the response. Raises UrlNotAllowed or RequestFailed.

    `seconds` covers everything from the DNS lookup to the last byte that is read. Must be called
    in a thread without an event loop.
    """
    target = parse_target(url, allow_private=allow_private)

    async def receive(response: aiohttp.ClientResponse) -> HttpResponse:
        read = await _read_beginning(response)
        return HttpResponse(response.status, read, parse_retry_after(response.headers))

    def request(
        session: aiohttp.ClientSession,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return session.post(url_of(target), data=body, headers=headers, allow_redirects=False)

    return asyncio.run(
        _send(
            target, request, receive, seconds, allow_private=allow_private, resolve=resolve, tls=tls
        )
    )


def get(
    url: str,
    *,
    headers: Mapping[str, str],
    limits: GetLimits,
    allow_private: bool,
    wants_body: WantsBody = lambda _: True,
    resolve: Resolver = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> GetResponse:
    """GET a page of any site, http or https. Raises UrlNotAllowed or RequestFailed.

    The body is b"" unless `wants_body`. Must be called in a thread without an event loop.
    """
    target = parse_target(url, allow_private=allow_private, allow_http=True)

    async def receive(response: aiohttp.ClientResponse) -> GetResponse:
        names = dict.fromkeys(name.lower() for name in response.headers)
        found = {name: tuple(response.headers.getall(name)) for name in names}
        retry_after = parse_retry_after(response.headers)
        head = GetResponse(response.status, found, b"", retry_after)
        if not wants_body(head):
            return head
        body = await read_within_limits(
            response,
            max_bytes=limits.max_bytes,
            is_cut=limits.is_cut,
            min_bytes_per_second=limits.min_bytes_per_second,
            pace_seconds=limits.pace_seconds,
        )
        return GetResponse(response.status, found, body, retry_after)

    def request(
        session: aiohttp.ClientSession,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        sent = {"Accept-Encoding": ACCEPTED_ENCODINGS, **headers}
        return session.get(url_of(target), headers=sent, allow_redirects=False)

    return asyncio.run(
        _send(
            target,
            request,
            receive,
            limits.seconds,
            allow_private=allow_private,
            resolve=resolve,
            tls=tls,
        )
    )


async def _send(
    target: Target,
    request: _Request,
    receive: Callable[[aiohttp.ClientResponse], Awaitable[_Response]],
    seconds: float,
    *,
    allow_private: bool,
    resolve: Resolver,
    tls: ssl.SSLContext | None,
) -> _Response:
    try:
        async with asyncio.timeout(seconds):
            addresses = await resolve_target(target, resolve, allow_private=allow_private)
            async with pinned_session(addresses, tls) as session, request(session) as response:
                return await receive(response)
    except TimeoutError:
        raise RequestTimedOut(f"No response within {seconds:g} seconds.") from None
    except aiohttp.ClientConnectorCertificateError:
        raise TlsFailed("Invalid TLS certificate.") from None
    except aiohttp.ClientConnectorSSLError:
        raise TlsFailed("Connection failed.") from None
    except aiohttp.ClientConnectorError:
        raise ConnectionFailed("Connection failed.") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise RequestFailed("The connection closed early, or the response was not HTTP.") from None


async def _read_beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body, or what has arrived by its end, an error or the time limit."""
    read = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while len(read) < MAX_BODY_BYTES:
                chunk = await response.content.read(MAX_BODY_BYTES - len(read))
                if not chunk:
                    break
                read += chunk
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return bytes(read)
