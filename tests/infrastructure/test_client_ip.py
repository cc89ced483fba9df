"""The client's IP address behind no, one and two proxies."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from apps.infrastructure.web.client_address import client_ip, limit_subject, scope_client
from tests.infrastructure.test_asgi import http_scope


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "198.51.100.1"),
        (0, "203.0.113.9", "198.51.100.1"),
        (1, None, "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "nonsense", "198.51.100.1"),
        (1, "<script>", "198.51.100.1"),
        (1, "unknown", "198.51.100.1"),
        (1, "_hidden", "198.51.100.1"),
        (1, "", "198.51.100.1"),
        (1, "6.6.6.6, ", "198.51.100.1"),
        (1, "203.0.113.9:1111", "203.0.113.9"),
        (1, "6.6.6.6:1 ,203.0.113.9:1111", "203.0.113.9"),
        (1, "203.0.113.9:_port", "203.0.113.9"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, '"[2001:db8::1]:443"', "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "[fe80::1%25eth0]:443", "fe80::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "[::ffff:203.0.113.9]:443", "203.0.113.9"),
        (1, "64:ff9b::cb00:7109", "203.0.113.9"),
        (1, "[64:ff9b::203.0.113.9]:443", "203.0.113.9"),
        (1, "::ffff:0:203.0.113.9", "203.0.113.9"),
        (1, "::1", "::1"),
        (1, "2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
    ],
)
def test_client_ip_is_the_one_our_own_proxy_saw(
    settings: Any, proxies: int, forwarded: str | None, expected: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", **headers)  # type: ignore[arg-type]
    assert client_ip(request) == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ('For="203.0.113.9:1111"', "203.0.113.9"),
        ('for="[2001:db8::1]:443";proto=https;by=10.0.0.1', "2001:db8::1"),
        ("proto=https; for=203.0.113.9", "203.0.113.9"),
        ("for=6.6.6.6, for=203.0.113.9;proto=http", "203.0.113.9"),
        ("for=unknown", "198.51.100.1"),
        ("for=_hidden", "198.51.100.1"),
        ("proto=https", "198.51.100.1"),
        ("for=6.6.6.6, proto=https", "198.51.100.1"),
    ],
)
def test_client_ip_from_the_forwarded_header(settings: Any, forwarded: str, expected: str) -> None:
    settings.TRUSTED_PROXIES = 1
    request = RequestFactory().get(
        "/", REMOTE_ADDR="198.51.100.1", headers={"forwarded": forwarded}
    )
    assert client_ip(request) == expected
    scope = http_scope("/", (b"Forwarded", forwarded.encode()))
    assert scope_client({**scope, "client": ("198.51.100.1", 1)}) == limit_subject(expected)


def test_only_the_named_header_is_read(settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    both = {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.7"}
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", headers=both)
    assert client_ip(request) == "203.0.113.9"
    settings.TRUSTED_PROXY_HEADER = "Forwarded"
    assert client_ip(request) == "203.0.113.7"
    settings.TRUSTED_PROXY_HEADER = "X-Real-IP"
    assert client_ip(request) == "198.51.100.1"


def test_several_headers_are_one_list(settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    twice = [(b"x-forwarded-for", b"6.6.6.6"), (b"X-Forwarded-For", b"203.0.113.9:1")]
    assert scope_client(http_scope("/", *twice)) == "203.0.113.9"


def test_limits_count_networks_of_ipv6_addresses() -> None:
    assert (
        limit_subject("2001:db8:1:2:3:4:5:6")
        == limit_subject("2001:db8:1:2::")
        == ("2001:db8:1:2::")
    )
    assert limit_subject("203.0.113.9") == "203.0.113.9"
    assert limit_subject(None) == "unknown"
