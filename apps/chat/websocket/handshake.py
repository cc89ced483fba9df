"""Parse a WebSocket handshake: API key, subprotocol, origin and cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host

from apps.chat.errors import OriginNotAllowed

SUBPROTOCOL = "parley.v1"
KEY_SUBPROTOCOL_PREFIX = "parley.key."
"""Prefix of an API key among the subprotocols, for browsers: they cannot set headers."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client sent to open a WebSocket.

    `authorization`: the header's value, or the key among the subprotocols in the same form.
    `subprotocol`: the one to answer with, which never contains the key.
    `own_origin`: scheme, host and port of the pages of the address that was connected to; None if
    that is not one of ours.
    """

    authorization: str | None
    subprotocol: str | None
    origin: str | None
    cookies: Mapping[str, str]
    own_origin: str | None = None

    def require_own_origin(self) -> None:
        """Raise OriginNotAllowed for a page of another site.

        A browser adds cookies by itself, and always sends the page's origin; a client that sends
        no origin is not a browser.
        """
        if self.origin is None or self.origin == self.own_origin:
            return
        if not any(_matches(self.origin, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS):
            raise OriginNotAllowed


def parse_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Read an ASGI scope. The Authorization header goes before a key among the subprotocols."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    offered: list[str] = scope.get("subprotocols") or []
    keys = [
        name.removeprefix(KEY_SUBPROTOCOL_PREFIX)
        for name in offered
        if name.startswith(KEY_SUBPROTOCOL_PREFIX)
    ]
    return Handshake(
        authorization=headers.get(b"authorization") or (f"Bearer {keys[0]}" if keys else None),
        subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None,
        origin=headers.get(b"origin"),
        cookies=parse_cookie(headers.get(b"cookie", "")),
        own_origin=_own_origin(scope, headers),
    )


def _own_origin(scope: Mapping[str, Any], headers: Mapping[bytes, str]) -> str | None:
    """The origin as a browser writes it: without the scheme's default port."""
    host = headers.get(b"host", "").lower()
    name, port = split_domain_port(host)
    if not (name and validate_host(name, settings.ALLOWED_HOSTS)):
        return None
    scheme = "https" if _is_secure(scope, headers) else "http"
    is_default = port == {"https": "443", "http": "80"}[scheme]
    return f"{scheme}://{host.removesuffix(f':{port}') if is_default else host}"


def _is_secure(scope: Mapping[str, Any], headers: Mapping[bytes, str]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        if (value := headers.get(header)) is not None:
            return value.partition(",")[0].strip() == secure
    return scope.get("scheme") in ("wss", "https")


def _matches(origin: str, trusted: str) -> bool:
    """Whether an origin is a trusted one, or of a subdomain of `https://*.example.com`."""
    scheme, _, host = trusted.partition("://")
    if not host.startswith("*."):
        return origin == trusted
    return origin.startswith(f"{scheme}://") and origin.endswith(host[1:])
