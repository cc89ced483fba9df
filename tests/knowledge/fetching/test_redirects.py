"""Redirects that take long, each of which is allowed by itself."""

from __future__ import annotations

import time

import pytest

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.pages import fetch_page
from apps.knowledge.fetching.robots import robots_of
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.site import Page, page, redirect


def test_slow_redirects_end(open_site: OpenSite) -> None:
    """Each answers in time, all together do not."""

    def slow(path: str) -> Page:
        time.sleep(0.3)
        return page() if path == "/5" else redirect(f"/{int(path[1:]) + 1}")

    site = open_site({"/robots.txt": Page(status=404)}, make=slow)
    robots_of(f"{site.url}/1", options())  # so that only the redirects can be too slow
    with pytest.raises(FetchFailed) as failure:
        fetch_page(f"{site.url}/1", options=options(seconds=0.8))
    assert (failure.value.code, failure.value.is_temporary) == ("timed_out", True)
    assert "/5" not in site.requests
