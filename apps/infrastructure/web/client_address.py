"""The IP address of a client, behind proxies that write it in different forms.

Each of our own proxies (TRUSTED_PROXIES, a count) appends the address that it was called from, so
whatever the client itself wrote is further left and not used. What cannot be read as an address
leaves the address of the connection, so that no two connections share a limit for that reason.
"""

import math
import re
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.infrastructure.http.embedded_ipv4 import same_ipv4_host
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

UNKNOWN = "unknown"
"""The client of a connection without an address, such as a Unix socket."""

IPV6_PREFIX = 64
"""One customer of a network provider has at least that many addresses."""

WARNING_SECONDS = 60.0

_DEFAULT_HEADERS = ("x-forwarded-for", "forwarded")
_FORWARDED_FOR = re.compile(r"""(?:^|;)\s*for\s*=\s*("[^"]*"|[^;]*)""", re.IGNORECASE)
_WITH_PORT = re.compile(
    r"\[(?P<v6>[^\]]*)\](?::\w*)?|(?P<v4>[0-9.]+):\w*"
    r"|(?P<whole_v6>[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}):\d+",  # it cannot be shortened
    re.IGNORECASE,
)


class _Warned:
    at = -math.inf


_warned = _Warned()


def client_ip(request: HttpRequest) -> str | None:
    """Return the IP address of the client; None if it is not known."""
    headers = {name: request.headers.get(name, "") for name in _header_names()}
    return _client_address(request.META.get("REMOTE_ADDR", ""), headers)


def request_client(request: HttpRequest) -> str:
    """Return whom the limits of a request count: see `limit_subject`."""
    return limit_subject(client_ip(request))


def scope_client(scope: Mapping[str, Any]) -> str:
    """Return whom the limits of a connection count: see `limit_subject`."""
    names = _header_names()
    headers: dict[str, str] = {}
    if settings.TRUSTED_PROXIES:
        for raw_name, value in scope["headers"]:
            if (name := raw_name.decode("latin-1").lower()) in names:
                text = value.decode("latin-1")
                headers[name] = f"{headers[name]},{text}" if name in headers else text
    peer = scope.get("client") or ("", 0)
    return limit_subject(_client_address(peer[0], headers))


def limit_subject(address: str | None) -> str:
    """Return what limits count for an address: itself, or the /64 network of an IPv6 address."""
    if address is None:
        return UNKNOWN
    if ":" not in address:
        return address
    return str(ip_network((address, IPV6_PREFIX), strict=False).network_address)


def parse_address(text: str) -> str | None:
    """Read an address with or without quotes, brackets, port and zone; None if it is none.

    An IPv4 address inside an IPv6 one is returned as IPv4: it is the same client.
    """
    text = text.strip().strip('"').strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"] or match["whole_v6"] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and (host := same_ipv4_host(address)):
        return str(host)
    return str(address)


def _header_names() -> tuple[str, ...]:
    name = settings.TRUSTED_PROXY_HEADER.lower()
    return (name,) if name else _DEFAULT_HEADERS


def _client_address(peer: str, headers: Mapping[str, str]) -> str | None:
    address = None
    if settings.TRUSTED_PROXIES:
        address = _forwarded_address(headers)
    return address or parse_address(peer)


def _forwarded_address(headers: Mapping[str, str]) -> str | None:
    for name in _header_names():
        if value := headers.get(name, "").strip():
            hops = list(_hops(name, value))
            hop = hops[-settings.TRUSTED_PROXIES :][0]
            if (address := parse_address(hop)) is None:
                _warn_of_unreadable(name, hop)
            return address
    return None


def _warn_of_unreadable(name: str, hop: str) -> None:
    """Tell operators, once a minute, that limits count all clients of a proxy as one."""
    if time.monotonic() - _warned.at > WARNING_SECONDS:
        _warned.at = time.monotonic()
        log.warning("client_address_unreadable", header=name, value=hop[:100])


def _hops(name: str, value: str) -> Iterable[str]:
    """The text of each hop's address, the nearest last."""
    for hop in value.split(","):
        if name != "forwarded":
            yield hop
        else:
            match = _FORWARDED_FOR.search(hop)
            yield match[1] if match else ""
