"""Find the IPv4 addresses that an IPv6 address stands for.

A packet to such an address reaches the IPv4 host: by the system itself (mapped), by a translator
(NAT64: what DNS64 returns for a name without an IPv6 address) or by a tunnel (6to4, Teredo,
ISATAP).

    ::ffff:0:0/96       mapped                      the last 32 bits
    ::/96               compatible (obsolete)       the last 32 bits
    ::ffff:0:0:0/96     translated (SIIT)           the last 32 bits
    64:ff9b::/96        NAT64                       the last 32 bits
    2002::/16           6to4                        the 32 bits after the prefix
    2001::/32           Teredo                      the server's, and the client's inverted
    x:x:x:x:0:5efe::/96 ISATAP, in any network      the last 32 bits
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

_IN_LAST_BITS = tuple(
    map(IPv6Network, ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
)
_SPELLINGS = tuple(map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def translated_ipv4(address: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an address of a reserved network stands for, else none."""
    bits = int(address)
    if any(address in network for network in _IN_LAST_BITS):
        return [_ipv4(bits)]
    if address in _SIX_TO_FOUR:
        return [_ipv4(bits >> 80)]
    if address in _TEREDO:
        return [_ipv4(bits >> 64), _ipv4(~bits)]
    return []


def same_ipv4_host(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 host that an IPv6 address is another spelling of, for its peers.

    Translators in front of a network without IPv4 write all IPv4 addresses in this way.
    """
    is_another = any(address in network for network in _SPELLINGS)
    return _ipv4(int(address)) if is_another else None


def isatap_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address of an ISATAP host, None for another host."""
    bits = int(address)
    return _ipv4(bits) if bits >> 32 & 0xFFFF_FFFF in _ISATAP else None


def _ipv4(bits: int) -> IPv4Address:
    return IPv4Address(bits & 0xFFFF_FFFF)
