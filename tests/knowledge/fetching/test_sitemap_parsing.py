"""Sitemap files as sites really have them, and hostile ones."""

from __future__ import annotations

import gzip

import pytest

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.sitemap_parsing import MAX_SITEMAP_URLS, SitemapFile, parse_sitemap
from tests.knowledge.site import html, sitemap, sitemap_index

URL = "https://example.com/sitemap.xml"
A, B = "https://example.com/a", "https://example.com/b"
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@pytest.mark.parametrize(
    "body",
    [
        sitemap(A, B).body,
        sitemap(A, B, A, "mailto:x", "").body,
        sitemap(A, B, compressed=True).body,
        f"<urlset><url><loc> /a\n</loc></url><url><loc>{B}</loc></url></urlset>".encode(),
        f"<urlset {NAMESPACE}><url><loc><![CDATA[{A}]]></loc></url><url><loc>{B}</loc>"
        "<lastmod>2026-01-01</lastmod></url></urlset>".encode("utf-16"),
        f'<urlset {NAMESPACE} xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><url>'
        f"<loc>{A}</loc><i:image><i:loc>{A}.png</i:loc></i:image></url>"
        f"<url><loc>{B}</loc></url></urlset>".encode(),
        f"{A}\r\n\r\n{B}\n".encode(),
        f"\ufeff{A}\nnot an address\n{B}".encode(),
        sitemap(A, B).body.removesuffix(b"</urlset>"),
        sitemap(A, B).body + b"<<<",
    ],
    ids=["plain", "noise", "gzip", "relative", "utf-16", "images", "text", "bom", "cut", "damaged"],
)
def test_addresses_are_read(body: bytes) -> None:
    assert parse_sitemap(body, URL) == SitemapFile((A, B), ())


def test_index_is_read() -> None:
    assert parse_sitemap(sitemap_index(A, B).body, URL) == SitemapFile((), (A, B))


BOMB = '<!ENTITY a0 "lol">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (html(), "not_a_sitemap", "This address has a web page, not a sitemap."),
        (b"<html><body>", "not_a_sitemap", "This address has a web page, not a sitemap."),
        (
            b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y"><html xmlns="z"/>',
            "not_a_sitemap",
            "This address has a web page, not a sitemap.",
        ),
        (b"<rss><channel/></rss>", "not_a_sitemap", "This address has XML that is no sitemap:"),
        (b"Hello", "not_a_sitemap", "This address has no sitemap."),
        (b"", "empty_sitemap", "The sitemap is empty."),
        (b" \n", "empty_sitemap", "The sitemap is empty."),
        (sitemap().body, "empty_sitemap", "The sitemap lists no pages."),
        (b"<urlset><url>", "damaged", "The sitemap is not valid XML"),
        (b"<urlset", "damaged", "The sitemap is not valid XML (line 1)."),
        (b"<urlset>" + b"<url>" * 100_000, "damaged", "The sitemap is nested too deeply."),
        (
            f"<!DOCTYPE urlset [{BOMB}]><urlset><url><loc>&a9;</loc></url></urlset>".encode(),
            "damaged",
            "The sitemap has a DTD, which sitemaps never have.",
        ),
        (
            b'<!DOCTYPE urlset SYSTEM "file:///etc/passwd"><urlset/>',
            "damaged",
            "The sitemap has a DTD",
        ),
        (b"\x1f\x8bnot gzip", "damaged", "The sitemap cannot be decompressed."),
        (gzip.compress(b"\0" * 60_000_000), "too_large", "The sitemap is larger than 50 MB."),
    ],
)
def test_what_is_no_sitemap_is_told_in_words(body: bytes, code: str, sentence: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        parse_sitemap(body, URL)
    assert caught.value.code == code
    assert str(caught.value).startswith(sentence)


def test_addresses_are_limited() -> None:
    lines = f"{A}\n" * MAX_SITEMAP_URLS + B
    assert parse_sitemap(lines.encode(), URL).urls == (A,)
    entries = "<url><loc>/a</loc></url>" * MAX_SITEMAP_URLS + "<url><loc>/b</loc></url>"
    assert parse_sitemap(f"<urlset>{entries}</urlset>".encode(), URL).urls == (A,)
