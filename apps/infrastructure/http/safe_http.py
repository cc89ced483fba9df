"""Send a POST to a customer's URL without giving access to our network (SSRF).

The URL is parsed strictly by `url_validation`. Its host name is resolved once, every address must
be public, and the connection goes to one of those addresses, with the name kept for TLS and the
Host header; a second lookup, which could return another address, never happens. Redirects are not
followed, proxies of the environment are not used, and one deadline covers the whole request.
"""

import asyncio
import functools
import math
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from apps.infrastructure.http.url_validation import (
    Address,
    Target,
    UrlNotAllowed,
    is_public,
    parse_target,
)

Resolver = Callable[[str], Sequence[str]]
"""Host name → its IP addresses as text. Raises OSError."""

MAX_BODY_BYTES = 4096
"""How much of a response body is read before the connection is closed."""

_BODY_SECONDS = 2.0
# Status and headers decide; a slow body must not keep a worker waiting.
_MAX_DIGITS = 12


class RequestFailed(Exception):
    """There was no complete response in time. The message may be shown to the customer."""


class RequestTimedOut(RequestFailed):
    """The time was up, whatever it was that took it."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The status, the beginning of the body, and how many seconds Retry-After asks to wait."""

    status: int
    body: bytes
    retry_after: int | None


def resolve_host(name: str) -> Sequence[str]:
    """The addresses that the system's resolver returns. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


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
    return asyncio.run(_post(target, body, headers, seconds, allow_private, resolve, tls))


async def _post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    allow_private: bool,
    resolve: Resolver,
    tls: ssl.SSLContext | None,
) -> HttpResponse:
    try:
        async with asyncio.timeout(seconds):
            addresses = await _resolve_target(target, resolve, allow_private=allow_private)
            async with _session(addresses, tls) as session:
                return await _send_request(session, target, body, headers)
    except TimeoutError:
        raise RequestTimedOut(f"No response within {seconds:g} seconds.") from None
    except aiohttp.ClientConnectorCertificateError:
        raise RequestFailed("Invalid TLS certificate.") from None
    except aiohttp.ClientConnectorError:
        raise RequestFailed("Connection failed.") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise RequestFailed("The connection closed early, or the response was not HTTP.") from None


async def _resolve_target(
    target: Target, resolve: Resolver, *, allow_private: bool
) -> Sequence[Address]:
    """The target's addresses, resolved once. Raises UrlNotAllowed or RequestFailed."""
    if target.address is not None:
        return [target.address]
    loop = asyncio.get_running_loop()
    try:
        texts = await loop.run_in_executor(_resolver_threads(), resolve, target.host)
        addresses = [ip_address(text) for text in texts]
    except (OSError, ValueError):
        raise RequestFailed("DNS lookup failed.") from None
    if not addresses:
        raise RequestFailed("DNS lookup failed.")
    if not allow_private and not all(map(is_public, addresses)):
        raise UrlNotAllowed("The name leads to an address that is not on the public internet.")
    return addresses


@functools.cache
def _resolver_threads() -> ThreadPoolExecutor:
    """Threads for DNS lookups. Those of the event loop would delay its end by a slow lookup.

    A lookup goes on after its request has timed out: there are more threads than names that hang.
    """
    return ThreadPoolExecutor(max_workers=128, thread_name_prefix="webhook-lookup")


@functools.cache
def _default_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _session(addresses: Sequence[Address], tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        resolver=_FixedResolver(addresses),
        socket_factory=functools.partial(_create_socket, frozenset(map(str, addresses))),
        ssl=tls or _default_tls(),
        use_dns_cache=False,
        force_close=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


class _FixedResolver(AbstractResolver):
    """Resolves every name to the addresses that were checked."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


def _create_socket(allowed: frozenset[str], info: tuple[Any, ...]) -> socket.socket:
    """Create a socket, but only for an allowed address: a last check below aiohttp."""
    family, kind, protocol, _, address = info
    if address[0] not in allowed:
        raise OSError("This address was not checked.")
    return socket.socket(family=family, type=kind, proto=protocol)


async def _send_request(
    session: aiohttp.ClientSession, target: Target, body: bytes, headers: Mapping[str, str]
) -> HttpResponse:
    url = URL.build(
        scheme=target.scheme,
        host=target.host,
        port=target.port,
        path=target.path,
        query_string=target.query,
        encoded=True,
    )
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
        return HttpResponse(
            response.status, await _read_body(response), _parse_retry_after(response.headers)
        )


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
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


def _parse_retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds of Retry-After, which is a number or a date; None without one that is valid."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return int(text.lstrip("0")[:_MAX_DIGITS] or "0")  # more digits are for ever, too
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": UTC
        date = date.replace(tzinfo=UTC)
    return max(0, math.ceil((date - datetime.now(UTC)).total_seconds()))
