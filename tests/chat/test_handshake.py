"""The origins from which a browser may open a WebSocket with its cookies."""

from __future__ import annotations

import pytest
from django.test import override_settings

from apps.chat.errors import OriginNotAllowed
from apps.chat.websocket.handshake import parse_handshake


def is_own(origin: str, host: str, scheme: str = "ws", **headers: str) -> bool:
    """Whether a page of this origin may open a socket at this host."""
    sent = {"host": host, "origin": origin, **headers}
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    handshake = parse_handshake({"scheme": scheme, "headers": encoded})
    try:
        handshake.require_own_origin()
    except OriginNotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://parley.example", "parley.example"),
        ("http://parley.example", "parley.example:80"),
        ("http://parley.example", "Parley.Example"),
        ("http://parley.example:8000", "parley.example:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://app.example", "parley.example"),
        ("https://eu.parley.example", "parley.example"),
    ],
)
@override_settings(ALLOWED_HOSTS=["parley.example", "[::1]"])
@override_settings(CSRF_TRUSTED_ORIGINS=["https://app.example", "https://*.parley.example"])
def test_own_and_trusted_origins_may_connect(origin: str, host: str) -> None:
    assert is_own(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://parley.example", "parley.example"),
        ("http://parley.example:8000", "parley.example"),
        ("http://parley.example", "parley.example:8000"),
        ("http://other.example", "parley.example"),
        ("http://parley.example.evil.example", "parley.example"),
        ("http://evil.example", "evil.example"),
        ("null", "parley.example"),
        ("", "parley.example"),
        ("http://app.example", "parley.example"),
        ("https://evilparley.example", "parley.example"),
    ],
)
@override_settings(ALLOWED_HOSTS=["parley.example"])
@override_settings(CSRF_TRUSTED_ORIGINS=["https://app.example", "https://*.parley.example"])
def test_other_origins_may_not_connect(origin: str, host: str) -> None:
    assert not is_own(origin, host)


@override_settings(ALLOWED_HOSTS=["parley.example"])
@override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
def test_scheme_is_that_which_the_proxy_was_called_with() -> None:
    secure, host = "https://parley.example", "parley.example"
    assert is_own(secure, host, x_forwarded_proto="https")
    assert is_own(secure, "parley.example:443", x_forwarded_proto="https,http")
    assert not is_own(secure, host, x_forwarded_proto="http")
    assert not is_own(secure, host)
    assert is_own(secure, host, scheme="wss")
