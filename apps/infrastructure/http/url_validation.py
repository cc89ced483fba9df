"""Parse a customer's URL strictly and check that requests may be sent to it.

A URL that two programs could parse differently is refused: unusual spellings of IPv4 addresses,
look-alikes of letters and dots, user names, and so on. Names are not resolved here; `safe_http`
checks their addresses when it connects.

`allow_private` lifts the rules on addresses, names, ports and TLS, for development.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

from apps.infrastructure.http.embedded_ipv4 import isatap_ipv4, translated_ipv4

Address = IPv4Address | IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PRINTABLE_ASCII = re.compile(r"[!-~]+")  # no space, no control character, no look-alikes

_GLOBAL_IPV6 = ip_network("2000::/3")
# Public by `is_global` of some Python version, but routed to somewhere else.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments; a cloud's metadata lives here
            "192.88.99.0/24",  # relays of 6to4
            "168.63.129.16/32",  # a cloud's host agent
            "2001::/23",  # protocol assignments
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)


class UrlNotAllowed(Exception):
    """Requests to this URL are not allowed. The message may be shown to the customer."""


class AddressNotPublic(UrlNotAllowed):
    """The URL leads to an address that is not on the public internet."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parsed URL of a request. `address` is set if the host is an IP address."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    address: Address | None


def parse_target(url: str, *, allow_private: bool, allow_http: bool = False) -> Target:
    """Parse and check a URL. Raises UrlNotAllowed.

    `allow_http`: plain http may be used, for what is public anyway.
    """
    if not _PRINTABLE_ASCII.fullmatch(url) or "\\" in url:
        raise UrlNotAllowed("Give the address in plain ASCII; write other names as xn--….")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").lower()
    except ValueError:
        raise UrlNotAllowed("This is not an address.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise UrlNotAllowed("Give a whole address that begins with https://")
    if "@" in parts.netloc:
        raise UrlNotAllowed("An address with a user name or password is not taken.")
    if "#" in url:
        raise UrlNotAllowed("Leave out the part after #: it is never sent.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    address = _parse_ip_address(host, "[" in parts.netloc)
    if address is None:
        _check_hostname(host)
    normalized = host if address is None else str(address)
    target = Target(parts.scheme, normalized, port, parts.path or "/", parts.query, address)
    if not allow_private:
        _check_public(target, allow_http=allow_http)
    return target


def _check_public(target: Target, *, allow_http: bool) -> None:
    if target.scheme == "http" and not allow_http:
        raise UrlNotAllowed("Use https: what is sent is your customers' data.")
    usual = 443 if target.scheme == "https" else 80
    if target.port != usual and target.port < 1024:
        raise UrlNotAllowed(f"Use port {usual}, or one from 1024 on.")
    if target.address is None:
        if "." not in target.host:
            raise UrlNotAllowed("Give a full name, such as hooks.example.com.")
    elif not is_public(target.address):
        raise AddressNotPublic("This address is not on the public internet.")


def _parse_ip_address(host: str, in_brackets: bool) -> Address | None:
    """The IP address that a host is, in its usual spelling only; None for a name."""
    if in_brackets:
        try:
            return IPv6Address(host)
        except ValueError:
            raise UrlNotAllowed("This is not an IPv6 address.") from None
    try:
        return IPv4Address(host)  # four decimal numbers without leading zeros
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if re.fullmatch(r"\d+|0x[0-9a-f]*", last):
            raise UrlNotAllowed("Write an IPv4 address as four decimal numbers.") from None
    return None


def _check_hostname(host: str) -> None:
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UrlNotAllowed("This is not the name of a host.")


def is_public(address: Address) -> bool:
    """Whether an address belongs to a host on the public internet.

    An IPv6 address that stands for an IPv4 address is public if that one is.
    """
    if isinstance(address, IPv6Address):
        translated = translated_ipv4(address)
        if translated:
            return all(map(is_public, translated))
        if address not in _GLOBAL_IPV6:
            return False  # local, multicast and the like: whatever is_global says
        host = isatap_ipv4(address)
        if host is not None and not is_public(host):
            return False
    if any(address in net for net in _NOT_PUBLIC if net.version == address.version):
        return False
    return address.is_global and not address.is_multicast
