"""Parse a WebSocket handshake: API key, subprotocol, origin and cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
    """

    authorization: str | None
    subprotocol: str | None
    origin: str | None
    cookies: Mapping[str, str]

    def require_own_origin(self) -> None:
        """Raise OriginNotAllowed for a page of another site.

        A browser adds cookies by itself, and always sends the page's origin; a client that sends
        no origin is not a browser.
        """
        if self.origin is not None and not _is_allowed_host(self.origin):
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
    )


def _is_allowed_host(origin: str) -> bool:
    try:
        host, _ = split_domain_port(urlsplit(origin).netloc)
    except ValueError:
        return False
    return bool(host) and validate_host(host, settings.ALLOWED_HOSTS)
