"""Links and what else a web page says to a crawler, whatever the page is made of."""

from __future__ import annotations

import pytest

from apps.knowledge.fetching.links import MAX_LINKS, read_links
from apps.knowledge.fetching.types import PageLinks
from tests.knowledge.site import html

URL = "https://example.com/docs/page"


def read(body: bytes, content_type: str = "text/html") -> PageLinks:
    return read_links(body, content_type=content_type, url=URL)


def test_links_are_absolute_and_without_repeats() -> None:
    found = read(html("a", "/b#part", "/b", "//c.example/", "?q=1", "mailto:x@y.z", "#top", ""))
    assert found.links == (
        "https://example.com/docs/a",
        "https://example.com/b",
        "https://c.example/",
        "https://example.com/docs/page?q=1",
    )


def test_base_and_canonical_are_read() -> None:
    head = '<base href="/v2/"><link rel="CANONICAL nofollow" href="page">'
    assert read(html("a", head=head)) == PageLinks(
        "https://example.com/v2/page", ("https://example.com/v2/a",)
    )


def test_nofollow_links_are_left_out() -> None:
    body = b'<a rel="noopener nofollow" href="/a">a</a><a rel=noopener href="/b">b</a><area href=c>'
    assert read(body).links == ("https://example.com/b", "https://example.com/docs/c")


@pytest.mark.parametrize(
    ("head", "noindex", "nofollow"),
    [
        ('<meta name="robots" content="index, follow">', False, False),
        ('<meta name="robots" content="NOINDEX">', True, False),
        ('<meta name="robots" content="nofollow">', False, True),
        ('<meta name="Robots" content=" none ">', True, True),
        ('<meta name="otherbot" content="noindex">', False, False),
        (
            '<meta name="robots" content="noindex"><meta name="parleybot" content="index">',
            False,
            False,
        ),
    ],
)
def test_robots_tags_are_read(head: str, noindex: bool, nofollow: bool) -> None:
    found = read(html(head=head))
    assert (found.noindex, found.nofollow) == (noindex, nofollow)


@pytest.mark.parametrize(
    ("charset", "content_type"),
    [
        ("utf-8", "text/html"),
        ("utf-8-sig", "text/html; charset=iso-8859-1"),
        ("utf-16", "text/html"),
        ("utf-16", "text/html; charset=utf-8"),
        ("shift_jis", "text/html; charset=Shift_JIS"),
        ("euc-jp", 'text/html; charset="euc-jp"; x=y'),
    ],
)
def test_links_in_each_encoding(charset: str, content_type: str) -> None:
    body = html("/日本").decode().encode(charset)
    assert read(body, content_type).links == ("https://example.com/%E6%97%A5%E6%9C%AC",)


def test_page_names_its_encoding() -> None:
    body = '<meta charset="windows-1256"><a href="/سعر">x</a>'.encode("windows-1256")
    assert read(body).links == ("https://example.com/%D8%B3%D8%B9%D8%B1",)


@pytest.mark.parametrize(
    ("body", "links"),
    [
        (b"", ()),
        (b"\0\xff\xfe\0", ()),
        (b"<a href='/a'", ()),
        (b"<a href='/a'>" + b"<div>" * 300_000 + b"<a href='/b'>", None),
        (b"<a href='/a'>" + b"<a " + b"x=1 " * 200_000 + b"><a href='/b'>", None),
        (b"<!DOCTYPE html [<!ENTITY a 'b'>]><a href='/a'>&a;</a>", None),
        (b"<a href='/a'>x</a>" + b"<" * 1_000_000, None),
        (b"<a href='/a'>x</a><!--" + b"-" * 1_000_000, None),
        (b"<a href='/a'>x</a><script>" + b"</scrip" * 200_000, None),
    ],
    ids=[
        "nothing",
        "binary",
        "cut",
        "deep",
        "attributes",
        "entities",
        "angles",
        "comment",
        "script",
    ],
)
def test_hostile_page_is_read_as_far_as_possible(
    body: bytes, links: tuple[str, ...] | None
) -> None:
    found = read(body).links
    if links is None:
        assert found[:1] == ("https://example.com/a",)
    else:
        assert found == links


def test_links_are_limited() -> None:
    body = html(*(f"/{n}" for n in range(MAX_LINKS + 500)))
    assert len(read(body).links) == MAX_LINKS


def test_charset_that_is_no_encoding_of_text_is_ignored() -> None:
    for charset in ("rot13", "punycode", "idna", "zlib", "utf-7", "nonsense"):
        assert read(html("/a"), f"text/html; charset={charset}").links == ("https://example.com/a",)
