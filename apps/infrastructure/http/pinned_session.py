"""An aiohttp session that connects to the addresses of one target only, resolved once.

Every address must be public. A second lookup, which could return another address, never happens.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from apps.infrastructure.http.request_errors import NameNotResolved
from apps.infrastructure.http.url_validation import Address, AddressNotPublic, Target, is_public

Resolver = Callable[[str], Sequence[str]]
"""Host name → its IP addresses as text. Raises OSError."""


def resolve_host(name: str) -> Sequence[str]:
    """The addresses that the system's resolver returns. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def resolve_target(
    target: Target, resolve: Resolver, *, allow_private: bool
) -> Sequence[Address]:
    """The target's addresses, resolved once. Raises UrlNotAllowed or NameNotResolved."""
    if target.address is not None:
        return [target.address]
    loop = asyncio.get_running_loop()
    try:
        texts = await loop.run_in_executor(_resolver_threads(), resolve, target.host)
        addresses = [ip_address(text) for text in texts]
    except (OSError, ValueError) as error:
        is_temporary = getattr(error, "errno", None) == socket.EAI_AGAIN
        raise NameNotResolved("DNS lookup failed.", is_temporary=is_temporary) from None
    if not addresses:
        raise NameNotResolved("DNS lookup failed.", is_temporary=False)
    if not allow_private and not all(map(is_public, addresses)):
        raise AddressNotPublic("The name leads to an address that is not on the public internet.")
    return addresses


@functools.cache
def _resolver_threads() -> ThreadPoolExecutor:
    """Threads for DNS lookups. Those of the event loop would delay its end by a slow lookup.

    A lookup goes on after its request has timed out: there are more threads than names that hang.
    """
    return ThreadPoolExecutor(max_workers=128, thread_name_prefix="host-lookup")


@functools.cache
def _default_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def pinned_session(
    addresses: Sequence[Address], tls: ssl.SSLContext | None
) -> aiohttp.ClientSession:
    """A session without cookies, proxies of the environment and decompression."""
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


def url_of(target: Target) -> URL:
    """The URL to request, exactly as it was given."""
    return URL.build(
        scheme=target.scheme,
        host=target.host,
        port=target.port,
        path=target.path,
        query_string=target.query,
        encoded=True,
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
