"""Sites on loopback under names of their own, so that nothing is remembered of earlier ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core.ids import random_bits
from apps.knowledge.fetching.types import FetchOptions
from tests.knowledge.site import Page, Site

OpenSite = Callable[..., Site]


class NamedSite(Site):
    """A site that is asked for under `name`."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.name = f"site-{random_bits():x}.sites.example"

    @property
    def url(self) -> str:
        return super().url.replace("127.0.0.1", self.name)


def resolve(name: str) -> list[str]:
    """Names of test sites lead to loopback; others are unknown."""
    if not name.endswith(".example"):
        raise OSError("no such name")
    return ["127.0.0.1"]


OPTIONS = FetchOptions(
    visitor="workspace-1",
    user_agent="ParleyBot/1.0 (+https://parley.example/bot)",
    private_hosts=frozenset({"*"}),
    seconds=5.0,
    max_bytes=200_000,
    interval_seconds=0.0,
    patience_seconds=5.0,
    resolve=resolve,
)


def options(**given: Any) -> FetchOptions:
    return dataclasses.replace(OPTIONS, **given)


@pytest.fixture
def open_site() -> Iterator[OpenSite]:
    """Start sites that are stopped after the test."""
    sites: list[Site] = []

    def start(pages: dict[str, Page] | None = None, **given: Any) -> Site:
        site = NamedSite(pages, **given).start()
        sites.append(site)
        return site

    yield start
    for site in sites:
        site.stop()


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    return open_site()
