"""One page has one address."""

from __future__ import annotations

import pytest

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.urls import entered_url, normalize_url, page_key


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("  https://example.com:443/a \n", "https://example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("https://example.com./a#part", "https://example.com/a"),
        ("https://example.com/a/./b/../c/..", "https://example.com/a/"),
        ("https://example.com/../../a", "https://example.com/a"),
        ("https://bücher.example/über uns?q=ü&r=a b", None),
        ("https://example.com/%7euser/%c3%bc%2Fx", "https://example.com/~user/%C3%BC%2Fx"),
        ("https://example.com/100%", "https://example.com/100%25"),
        ("https://example.com/?b=2&a=1", "https://example.com/?b=2&a=1"),
        (
            "https://example.com/?utm_source=x&id=7&UTM_medium=y&gclid=z&fbclid=w",
            "https://example.com/?id=7",
        ),
        ("https://example.com/?utm_source=x", "https://example.com/"),
        ("https://[::1]:8000/a", "https://[::1]:8000/a"),
        ("https://exa\tmple.com/a\nb", "https://example.com/ab"),
    ],
)
def test_address_is_normalized(url: str, normalized: str | None) -> None:
    expected = normalized or ("https://xn--bcher-kva.example/%C3%BCber%20uns?q=%C3%BC&r=a%20b")
    assert normalize_url(url) == expected
    assert normalize_url(expected) == expected


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("b", "https://example.com/a/b"),
        ("/b", "https://example.com/b"),
        ("../b?c", "https://example.com/b?c"),
        ("//other.example/b", "https://other.example/b"),
        ("", "https://example.com/a/"),
    ],
)
def test_link_is_resolved_against_its_page(href: str, expected: str) -> None:
    assert normalize_url(href, "https://example.com/a/") == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "example", "mailto:a@example.com", "javascript:alert(1)", "ftp://example.com/"),
        *("https://", "https://a@example.com/", "https://example.com:x/", "https://[::1/"),
        *("data:text/html,hello", "https://example.com/" + "x" * 2000, "https://ex ample.com:y"),
    ],
)
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        normalize_url(url)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("example.com", "https://example.com/"),
        (" example.com/docs ", "https://example.com/docs"),
        ("//example.com", "https://example.com/"),
        ("localhost:8000/a", "https://localhost:8000/a"),
        ("HTTP://example.com", "http://example.com/"),
    ],
)
def test_address_may_be_typed_without_a_scheme(text: str, url: str) -> None:
    assert entered_url(text) == url


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://www.example.com/a", "http://example.com/a", True),
        ("https://example.com/?a=1&b=2", "https://example.com/?b=2&a=1", True),
        ("https://example.com/?a=1&a=2", "https://example.com/?a=2&a=1", False),
        ("https://example.com/?b&a", "https://example.com/?a&b", False),
        ("https://example.com/a", "https://example.com/a/", False),
        ("https://example.com/a", "https://docs.example.com/a", False),
    ],
)
def test_addresses_of_one_page_have_one_key(one: str, other: str, is_same: bool) -> None:
    assert (page_key(one) == page_key(other)) is is_same
