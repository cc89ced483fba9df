"""What a web page says to a crawler: its links, its own address, and what robots may do.

The page is read as a stream of tags: no tree is built, so nesting costs nothing, and reading stops
at a limit of bytes and links.
"""

import codecs
import re
from collections.abc import Iterable, Mapping

from lxml import etree

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import ROBOTS_TOKEN, PageLinks
from apps.knowledge.fetching.urls import normalize_url

MAX_HTML_BYTES = 5 * 1024 * 1024
"""What is read of a page for its links: far more than any page for people has."""
MAX_LINKS = 2000

_CHUNK_BYTES = 64 * 1024
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_CHARSETS = re.compile(
    r"utf-?8|utf-16(le|be)?|iso-?8859-\d{1,2}|latin-?1|us-ascii|windows-125\d|cp125\d|windows-874"
    r"|tis-620|shift[_-]jis|sjis|windows-31j|euc-jp|iso-2022-jp|euc-kr|ks_c_5601-1987|gb2312|gbk"
    r"|gb18030|big5|koi8-[ru]|macintosh",
    re.IGNORECASE,
)
_LATIN_1 = re.compile(r"iso-?8859-1|latin-?1|us-ascii", re.IGNORECASE)
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def read_links(body: bytes, *, content_type: str, url: str) -> PageLinks:
    """Read a web page's links. Never raises for what is in the page."""
    text = _decode(body[:MAX_HTML_BYTES], content_type)
    reader = _LinkReader(url)
    parser = etree.HTMLParser(target=reader, encoding="utf-8", no_network=True)
    data = text.encode("utf-8", "replace")
    try:
        for at in range(0, len(data), _CHUNK_BYTES):
            parser.feed(data[at : at + _CHUNK_BYTES])
            if reader.is_full:
                break
        parser.close()
    except (etree.LxmlError, ValueError):
        pass  # what was read before is good
    return reader.page_links()


def robots_header(values: Iterable[str]) -> tuple[bool, bool]:
    """Whether X-Robots-Tag forbids to keep the page, and to follow its links."""
    directives: set[str] = set()
    for value in values:
        is_for_us = True
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in _WITH_VALUES:
                is_for_us = name.strip() == ROBOTS_TOKEN.lower()
                part = rest
            if is_for_us:
                directives.add(part.strip())
    return _forbidden_by(directives)


_WITH_VALUES = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)


def _forbidden_by(directives: set[str]) -> tuple[bool, bool]:
    return bool(directives & {"noindex", "none"}), bool(directives & {"nofollow", "none"})


class _LinkReader:
    """Receives a page's tags from the parser."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._base = url
        self._canonical = ""
        self._hrefs: dict[str, None] = {}
        self._directives: dict[str, set[str]] = {}

    @property
    def is_full(self) -> bool:
        return len(self._hrefs) >= MAX_LINKS

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in ("a", "area"):
            self._add_link(attributes)
        elif tag == "link":
            relations = attributes.get("rel", "").lower().split()
            if "canonical" in relations and not self._canonical:
                self._canonical = attributes.get("href", "")
        elif tag == "base":
            if self._base == self._url and attributes.get("href"):
                self._base = self._absolute(attributes["href"]) or self._url
        elif tag == "meta":
            name = attributes.get("name", "").strip().lower()
            content = attributes.get("content", "").lower()
            self._directives.setdefault(name, set()).update(
                part.strip() for part in content[:1000].split(",")
            )

    def end(self, tag: str) -> None:
        pass

    def data(self, data: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _add_link(self, attributes: Mapping[str, str]) -> None:
        href = attributes.get("href", "").strip()
        if not href or href.startswith("#") or self.is_full:
            return
        if "nofollow" not in attributes.get("rel", "").lower().split():
            self._hrefs[href] = None

    def _absolute(self, href: str) -> str:
        try:
            return normalize_url(href, self._base)
        except FetchFailed:
            return ""

    def page_links(self) -> PageLinks:
        links = dict.fromkeys(filter(None, map(self._absolute, self._hrefs)))
        ours = self._directives.get(ROBOTS_TOKEN.lower(), self._directives.get("robots", set()))
        noindex, nofollow = _forbidden_by(ours)
        canonical = self._absolute(self._canonical) if self._canonical else ""
        return PageLinks(canonical, tuple(links), noindex, nofollow)


def _decode(body: bytes, content_type: str) -> str:
    """Decode by the byte order mark, else the header, else the page's own word, else as UTF-8."""
    for mark, name in _BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    _, _, parameter = content_type.lower().partition("charset=")
    charset = parameter.split(";")[0].strip(" \"'")
    if not _CHARSETS.fullmatch(charset):
        found = _CHARSET.search(body[:2048])
        charset = found[1].decode("ascii", "replace") if found else ""
        if charset.lower().startswith("utf-16"):
            charset = ""  # a page whose tags are readable bytes is not in UTF-16
    if not _CHARSETS.fullmatch(charset):
        return body.decode("utf-8", "replace")
    if _LATIN_1.fullmatch(charset):
        charset = "windows-1252"  # as browsers do
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
