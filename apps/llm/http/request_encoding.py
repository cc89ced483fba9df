"""Encode POST requests as HTTP/1.1: a URL, headers and a body to bytes. Does no I/O."""

import base64
import functools
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


class InvalidUrl(ValueError):
    """No request can be sent to this URL, or with these headers."""


class Origin(NamedTuple):
    """Where to connect to."""

    scheme: str
    host: str
    port: int


class _Target(NamedTuple):
    origin: Origin
    host_header: str
    path: str
    headers: dict[str, str]
    """Authorization, if the URL names a user."""


def encode_post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[Origin, bytes]:
    """Return where to send the request, and its bytes. Raises InvalidUrl."""
    target = _parse_url(url)
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host_header}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in {**target.headers, **headers}.items()),
    ]
    head = "\r\n".join([*lines, "", ""])
    if head.count("\n") != len(lines) + 1:
        raise InvalidUrl("a header of more than one line")
    return target.origin, head.encode("latin-1") + body


@functools.lru_cache(maxsize=1024)
def _parse_url(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        name = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise InvalidUrl("not a URL") from error
    if parts.scheme not in ("http", "https") or not name:
        raise InvalidUrl("not a URL")
    host = f"[{name}]" if ":" in name else name
    if parts.port:
        host = f"{host}:{parts.port}"
    path = quote(parts.path or "/", safe=_SAFE_IN_PATH)
    if parts.query:
        path += "?" + quote(parts.query, safe=f"{_SAFE_IN_PATH}?")
    headers = {}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    return _Target(Origin(parts.scheme, name, port), host, path, headers)
