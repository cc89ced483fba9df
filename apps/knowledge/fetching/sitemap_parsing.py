"""Parse one sitemap file: XML, an index of others, or a text with an address on each line.

XML is read as a stream without a tree. A file with a DTD is refused before any entity in it could
be declared, so entities that expand are harmless.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from apps.infrastructure.http.request_errors import BodyNotReadable, BodyTooLarge
from apps.infrastructure.http.response_bodies import inflate
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import MAX_URL_CHARACTERS
from apps.knowledge.fetching.urls import normalize_url

MAX_SITEMAP_BYTES = 50 * 1024 * 1024
MAX_SITEMAP_URLS = 50_000
"""Of one file, both by sitemaps.org."""

_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 64 * 1024
_NOT_A_SITEMAP = "This address has a web page, not a sitemap."


@dataclass(frozen=True, slots=True)
class SitemapFile:
    """The addresses of pages in one file, in order, and those of further sitemaps. Normalised."""

    urls: tuple[str, ...]
    sitemaps: tuple[str, ...]


def parse_sitemap(body: bytes, url: str) -> SitemapFile:
    """Raises FetchFailed: "not_a_sitemap", "empty_sitemap", "damaged" or "too_large"."""
    if body.startswith(_GZIP):
        body = _inflate(body)
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1000].lower()
    if not start:
        raise FetchFailed("empty_sitemap", "The sitemap is empty.")
    if start.startswith((b"<!doctype html", b"<html")):
        raise FetchFailed("not_a_sitemap", _NOT_A_SITEMAP)
    is_xml = start.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))
    found = _parse_xml(body) if is_xml else _Locations(pages=_lines(body))
    file = SitemapFile(_absolute(found.pages, url), _absolute(found.sitemaps, url))
    if not file.urls and not file.sitemaps:
        what = "The sitemap lists no pages." if is_xml else "This address has no sitemap."
        raise FetchFailed("empty_sitemap" if is_xml else "not_a_sitemap", what)
    return file


@dataclass(slots=True)
class _Locations:
    """What a file lists, as it is written."""

    pages: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)


class _Refused(Exception):
    """The file is not read further."""


class _XmlReader:
    """Collects the addresses while the parser goes through the file."""

    def __init__(self) -> None:
        self.found = _Locations()
        self._path: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2].lower()
        if not self._path and tag not in ("urlset", "sitemapindex"):
            sentence = (
                _NOT_A_SITEMAP
                if tag == "html"
                else (f"This address has XML that is no sitemap: it begins with <{tag[:40]}>.")
            )
            raise FetchFailed("not_a_sitemap", sentence)
        if len(self._path) > 50:
            raise FetchFailed("damaged", "The sitemap is nested too deeply.")
        self._path.append(tag)
        self._text = []

    def _characters(self, text: str) -> None:
        if self._path[-1] == "loc" and len(self._text) < MAX_URL_CHARACTERS:
            self._text.append(text)

    def _end(self, _name: str) -> None:
        if self._path[1:] == ["url", "loc"]:
            self.found.pages.append("".join(self._text).strip())
        elif self._path[1:] == ["sitemap", "loc"]:
            self.found.sitemaps.append("".join(self._text).strip())
        self._path.pop()
        if len(self.found.pages) + len(self.found.sitemaps) >= MAX_SITEMAP_URLS:
            raise _Refused

    def _doctype(self, name: str, *_: object) -> None:
        if name.lower() == "html":
            raise FetchFailed("not_a_sitemap", _NOT_A_SITEMAP)
        raise FetchFailed("damaged", "The sitemap has a DTD, which sitemaps never have.")


def _parse_xml(body: bytes) -> _Locations:
    """What can be read of the file. A damaged one counts up to the damage."""
    reader = _XmlReader()
    try:
        for at in range(0, len(body), _CHUNK_BYTES):
            reader.parser.Parse(body[at : at + _CHUNK_BYTES], False)
        reader.parser.Parse(b"", True)
    except _Refused:
        pass
    except (expat.ExpatError, ValueError, LookupError) as error:
        if not (reader.found.pages or reader.found.sitemaps):
            line = getattr(error, "lineno", 1)
            raise FetchFailed("damaged", f"The sitemap is not valid XML (line {line}).") from None
    return reader.found


def _lines(body: bytes) -> list[str]:
    lines = body.decode("utf-8-sig", "replace").splitlines()[:MAX_SITEMAP_URLS]
    return [line.strip() for line in lines if line.strip().lower().startswith("http")]


def _absolute(urls: list[str], base: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for each in dict.fromkeys(filter(None, urls)):
        try:
            found[normalize_url(each, base)] = None
        except FetchFailed:
            continue  # a line that is no address: the others are good
    return tuple(found)


def _inflate(body: bytes) -> bytes:
    try:
        return inflate(body, max_bytes=MAX_SITEMAP_BYTES)
    except BodyTooLarge:
        raise FetchFailed("too_large", "The sitemap is larger than 50 MB.") from None
    except BodyNotReadable:
        raise FetchFailed("damaged", "The sitemap cannot be decompressed.") from None
