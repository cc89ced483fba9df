"""Which URLs are accepted, and that none can be parsed in two ways."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from apps.infrastructure.http.url_validation import Target, UrlNotAllowed, is_public, parse_target

ASCII = "Give the address in plain ASCII; write other names as xn--…."
WHOLE = "Give a whole address that begins with https://"
NOT_ONE = "This is not an address."
PRIVATE = "This address is not on the public internet."
NUMBERS = "Write an IPv4 address as four decimal numbers."
NAME = "This is not the name of a host."
USER = "An address with a user name or password is not taken."
PORT = "Use port 443, or one from 1024 on."

REFUSED = {
    # other spellings of 127.0.0.1
    "https://127.0.0.1/": PRIVATE,
    "https://2130706433/": NUMBERS,
    "https://017700000001/": NUMBERS,
    "https://0x7f000001/": NUMBERS,
    "https://0177.0.0.1/": NUMBERS,
    "https://0x7f.0.0.1/": NUMBERS,
    "https://127.1/": NUMBERS,
    "https://127.0.0.01/": NUMBERS,
    "https://127.000.000.001/": NUMBERS,
    "https://127.0.0.1./": NUMBERS,
    "https://127.0.0.0x1/": NUMBERS,
    "https://%31%32%37.0.0.1/": NUMBERS,
    "https://127。0。0。1/": ASCII,
    "https://①②⑦.⓪.⓪.①/": ASCII,
    "https://１２７.0.0.1/": ASCII,
    "https://0/": NUMBERS,
    # IPv6, with IPv4 inside and without
    "https://[::1]/": PRIVATE,
    "https://[::]/": PRIVATE,
    "https://[::ffff:127.0.0.1]/": PRIVATE,
    "https://[::ffff:7f00:1]/": PRIVATE,
    "https://[::ffff:10.0.0.1]/": PRIVATE,
    "https://[::127.0.0.1]/": PRIVATE,
    "https://[64:ff9b::7f00:1]/": PRIVATE,
    "https://[2002:7f00:1::]/": PRIVATE,
    "https://[fe80::1]/": PRIVATE,
    "https://[fe80::1%25lo]/": PRIVATE,
    "https://[fd00:ec2::254]/": PRIVATE,
    "https://[v1.x]/": "This is not an IPv6 address.",
    # names
    "https://localhost/": "Give a full name, such as hooks.example.com.",
    "https://localhost./": NAME,
    "https://hooks.example.com./": NAME,
    "https://hooks..example.com/": NAME,
    "https://.example.com/": NAME,
    "https://-a.example.com/": NAME,
    "https://a%00.example.com/": NAME,
    f"https://{'a' * 64}.example.com/": NAME,
    f"https://{'a.' * 126}com/": NAME,
    "https://bücher.example/": ASCII,
    "https://hooks.example。com/": ASCII,
    "https://exam\u00adple.com/": ASCII,
    # user names and hosts
    "https://user@hooks.example.com/": USER,
    "https://user:pass@127.0.0.1/": USER,
    "https://hooks.example.com@127.0.0.1/": USER,
    "https://@hooks.example.com/": USER,
    "https://127.0.0.1\\@hooks.example.com/": ASCII,
    "https://hooks.example.com#@127.0.0.1/": "Leave out the part after #: it is never sent.",
    # the rest
    "http://hooks.example.com/": "Use https: what is sent is your customers' data.",
    "ftp://hooks.example.com/": WHOLE,
    "file:///etc/passwd": WHOLE,
    "//hooks.example.com/": WHOLE,
    "hooks.example.com": WHOLE,
    "https://": WHOLE,
    "https:///path": WHOLE,
    "https://[::1": NOT_ONE,
    "https://hooks.example.com:99999/": NOT_ONE,
    "https://hooks.example.com:x/": NOT_ONE,
    "https://hooks.example.com:22/": PORT,
    "https://hooks.example.com:0/": PORT,
    "https://hooks.example.com/a b": ASCII,
    " https://hooks.example.com/": ASCII,
    "https://hooks.example.com/\r\nX: y": ASCII,
    "https://hooks.example.com\t/": ASCII,
    "": ASCII,
}


@pytest.mark.parametrize("url", REFUSED)
def test_url_is_refused_with_message(url: str) -> None:
    with pytest.raises(UrlNotAllowed) as refused:
        parse_target(url, allow_private=False)
    assert str(refused.value) == REFUSED[url]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (
            "https://hooks.example.com",
            Target("https", "hooks.example.com", 443, "/", "", None),
        ),
        (
            "HTTPS://Hooks.Example.com:8443/a/b?c=d&e=%20",
            Target("https", "hooks.example.com", 8443, "/a/b", "c=d&e=%20", None),
        ),
        (
            "https://xn--bcher-kva.example/",
            Target("https", "xn--bcher-kva.example", 443, "/", "", None),
        ),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/", "", ip_address("8.8.8.8"))),
        (
            "https://[2606:4700:0:0::1111]/",
            Target("https", "2606:4700::1111", 443, "/", "", ip_address("2606:4700::1111")),
        ),
    ],
)
def test_url_is_parsed(url: str, target: Target) -> None:
    assert parse_target(url, allow_private=False) == target


@pytest.mark.parametrize("url", ["http://localhost:80/", "http://127.0.0.1:9000/", "http://[::1]/"])
def test_private_addresses_can_be_allowed(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        parse_target(url, allow_private=False)
    assert parse_target(url, allow_private=True).scheme == "http"


@pytest.mark.parametrize("url", ["http://0x7f.1/", "http://a@localhost/", "http://127。0.0.1/"])
def test_ambiguous_addresses_are_always_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        parse_target(url, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.255.0.1"),  # noqa: S104
        *("169.254.169.254", "172.16.0.1", "192.0.0.192", "192.0.0.9", "192.0.2.1"),
        *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("168.63.129.16", "224.0.0.1", "224.0.1.1", "239.255.255.250", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:0:a00:1"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1"),
        *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
        *("fec0::1", "ff02::1", "ff0e::1"),
        # a private IPv4 address inside: NAT64, local NAT64, 6to4, Teredo (client, server), ISATAP
        *("64:ff9b::a00:1", "64:ff9b::c058:6301", "64:ff9b::a83f:8110", "64:ff9b:1::808:808"),
        *("2002:a00:1::", "2002:a9fe:a9fe::1", "2001:0:808:808::f5ff:fffe"),
        *("2001:0:a00:1::f7f7:f7f7", "2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:7f00:1"),
        *("fe80::5efe:808:808", "2001:db8::5efe:808:808"),
    ],
)
def test_is_public_refuses_address(address: str) -> None:
    assert is_public(ip_address(address)) is False


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"),
        # a public IPv4 address inside: mapped, compatible, SIIT, NAT64, 6to4, Teredo, ISATAP
        *("::ffff:8.8.8.8", "::808:808", "::ffff:0:808:808", "64:ff9b::808:808"),
        *("2002:808:808::1", "2001:0:808:808::f7f7:f7f7", "2a00:1450::200:5efe:808:808"),
    ],
)
def test_is_public_accepts_address(address: str) -> None:
    assert is_public(ip_address(address)) is True
