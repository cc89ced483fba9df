"""A web site on loopback, page by page as a test wants it."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Page:
    """What the site answers for an address.

    `pieces`: sent instead of `body`, without a length; endless ones are sent until the client
    closes the connection. `etag`: answers a conditional request with 304.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/html; charset=utf-8"
    etag: str = ""
    pieces: Callable[[threading.Event], Iterator[bytes]] | None = None


def html(*links: str, title: str = "Page", text: str = "", head: str = "") -> bytes:
    """A web page with these links."""
    anchors = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)
    return (
        f"<!doctype html><html><head><title>{title}</title>{head}</head>"
        f"<body><h1>{title}</h1><p>{text or title}</p><ul>{anchors}</ul></body></html>"
    ).encode()


def page(*links: str, title: str = "Page", text: str = "", head: str = "", **given: Any) -> Page:
    """A web page with these links, to be served."""
    return Page(html(*links, title=title, text=text, head=head), **given)


def redirect(location: str, status: int = 301) -> Page:
    return Page(status=status, headers={"Location": location})


def text(content: str, content_type: str = "text/plain; charset=utf-8") -> Page:
    return Page(content.encode(), content_type=content_type)


def sitemap(*urls: str, compressed: bool = False) -> Page:
    """A sitemap of these addresses."""
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
    ).encode()
    if compressed:
        return Page(gzip.compress(body), content_type="application/gzip")
    return Page(body, content_type="application/xml")


def sitemap_index(*urls: str) -> Page:
    """A sitemap of sitemaps."""
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    body = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</sitemapindex>'
    return Page(body.encode(), content_type="application/xml")


NOT_FOUND = Page(b"<h1>Not found</h1>", 404)


class Site:
    """Serves `pages` (path with query → page, or what makes one of it) until `stop`.

    `requests` has the path of each request in order, `headers` those of the last one for a path.
    """

    def __init__(
        self,
        pages: Mapping[str, Page] | None = None,
        *,
        make: Callable[[str], Page] = lambda _: NOT_FOUND,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.pages = dict(pages or {})
        self.make = make
        self.host = host
        self.tls = tls
        self.requests: list[str] = []
        self.headers: dict[str, Mapping[str, str]] = {}
        self.connections = 0
        self.port = 0
        self._stopped = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host}:{self.port}"

    def requests_for_pages(self) -> list[str]:
        """The paths of all requests but those for robots.txt and sitemaps."""
        return [path for path in self.requests if path != "/robots.txt" and "sitemap" not in path]

    def start(self) -> Self:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def get_request(self) -> tuple[Any, Any]:
                site.connections += 1
                connection, address = super().get_request()
                if site.tls is not None:
                    connection = site.tls.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                return connection, address

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # clients close the connection early

        self._server = Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        self.requests.append(path)
        self.headers[path] = {name.lower(): value for name, value in request.headers.items()}
        found = self.pages.get(path) or self.make(path)
        request.close_connection = True
        if found.etag and request.headers.get("If-None-Match") == found.etag:
            found = Page(status=304, etag=found.etag)
        request.send_response(found.status)
        headers = dict(found.headers)
        if found.content_type and "Content-Type" not in headers:
            headers["Content-Type"] = found.content_type
        if found.etag:
            headers["ETag"] = found.etag
        if found.pieces is None:
            headers.setdefault("Content-Length", str(len(found.body)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        with contextlib.suppress(OSError):
            if found.pieces is None:
                request.wfile.write(found.body)
            else:
                for piece in found.pieces(self._stopped):
                    request.wfile.write(piece)


def endless(stopped: threading.Event) -> Iterator[bytes]:
    """A body that never ends, as fast as it is taken."""
    while not stopped.is_set():
        yield b"<p>" + b"x" * 65536


def dripping(stopped: threading.Event) -> Iterator[bytes]:
    """A body that never ends, a byte at a time."""
    while not stopped.wait(0.02):
        yield b"x"


def closed_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
