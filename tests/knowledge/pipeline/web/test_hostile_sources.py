"""Sites and files made to harm: each source ends with its reason, and the next one is indexed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from threading import Event

import pytest

from apps.audit.services import SYSTEM
from apps.knowledge.fetching.robots import robots_of
from apps.knowledge.fetching.types import FetchOptions
from apps.knowledge.models import KnowledgeBase, Source, SourceType
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.queries import documents_of
from apps.knowledge.services.sources import add_file, add_text
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.parsing.office_files import make_docx, word_paragraph
from tests.knowledge.parsing.pdf_files import Line, make_encrypted_pdf, make_pdf, make_scanned_pdf
from tests.knowledge.parsing.test_hostile_files import ENTITIES, with_false_size, zip_bomb
from tests.knowledge.parsing.test_parse import stray_cell_sheet
from tests.knowledge.pipeline.web import web_sources
from tests.knowledge.pipeline.web.web_sources import add_site, live_text, make_due
from tests.knowledge.site import Page, Site, dripping, endless, page, redirect

MAX_BYTES = 2**20
MAX_RUNS = 30


def index(source: Source, **given: object) -> Source:
    """Index the source and an innocent one with it. Pages are small."""

    def options_of(each: Source) -> FetchOptions:
        changed = {"max_bytes": MAX_BYTES, **given}
        return dataclasses.replace(web_sources.options_of(each), **changed)  # type: ignore[arg-type]

    innocent = add_text(base=source.knowledge_base, title="Shop", text="Innocent.", actor=SYSTEM)
    for _ in range(MAX_RUNS):
        index_sources(max_seconds=60, options_of=options_of)
        source.refresh_from_db()
        if source.status in ("ready", "failed"):
            break
        make_due(source)
    innocent.refresh_from_db()
    assert innocent.status == "ready"
    return source


def large(stopped: Event) -> Iterator[bytes]:
    """50 MB of HTML."""
    for _ in range(50):
        if not stopped.is_set():
            yield b"<p>" + b"x" * 10**6


SITES: dict[str, tuple[Page, str]] = {
    "never ends, byte by byte": (
        Page(pieces=dripping),
        "{host} did not answer completely within 0.5 seconds.",
    ),
    "never ends, fast": (Page(pieces=endless), "The page or file is larger than 1 MB."),
    "50 MB": (Page(pieces=large), "The page or file is larger than 1 MB."),
    "50 MB, as its header says": (
        Page(pieces=large, headers={"Content-Length": str(50 * 10**6)}),
        "The page or file is larger than 1 MB.",
    ),
    "redirects to itself": (redirect("/"), "The site redirects in a circle, to {url}"),
    "redirects into a private network": (
        redirect("http://inside.example/"),
        "inside.example leads to an address that is not on the public internet.",
    ),
    "redirects to the metadata of a cloud": (
        redirect("http://169.254.169.254/latest/meta-data"),
        "169.254.169.254 leads to an address that is not on the public internet.",
    ),
    "redirects to a file": (
        redirect("file:///etc/passwd"),
        "The site redirects to what is not a page: ",
    ),
}


@pytest.mark.parametrize(("served", "reason"), SITES.values(), ids=list(SITES))
def test_hostile_page_fails_with_its_reason(
    base: KnowledgeBase, open_site: OpenSite, served: Page, reason: str
) -> None:
    site = open_site({"/": served})
    name = site.url.removeprefix("http://").partition(":")[0]
    robots_of(f"{site.url}/", options())  # so that only the page itself can be too slow
    source = index(
        add_site(base, site, "/", SourceType.PAGE),
        seconds=0.5 if served.pieces is dripping else 5.0,
        private_hosts=frozenset({name}),
        resolve=lambda each: ["127.0.0.1" if each == name else "10.0.0.1"],
    )
    assert source.status == "failed"
    host = site.url.removeprefix("http://")
    assert source.status_reason.startswith(reason.format(host=host, url=f"{site.url}/"))


@pytest.mark.parametrize(
    "answers",
    [[["8.8.8.8"], ["127.0.0.1"]], [["8.8.8.8"], ["8.8.8.8", "127.0.0.1"]]],
    ids=["another address", "an address more"],
)
def test_name_that_changes_its_address_is_refused(
    base: KnowledgeBase, open_site: OpenSite, answers: list[list[str]]
) -> None:
    """It led to a public address when the owner entered it, and leads into our network now."""
    site = open_site({"/": page()})
    remaining = iter(answers)
    next(remaining)

    def changed(_: str) -> Sequence[str]:
        return next(remaining, answers[-1])

    source = index(
        add_site(base, site, "/", SourceType.PAGE), private_hosts=frozenset(), resolve=changed
    )
    assert source.status == "failed"
    assert source.status_reason.endswith("leads to an address that is not on the public internet.")
    assert site.connections == 0


def test_endless_links_end_at_the_limits(base: KnowledgeBase, open_site: OpenSite) -> None:
    """Each page links to pages that nobody else knows, by day, by query and by path."""

    def trap(path: str) -> Page:
        number = len(site.requests)
        links = (f"/d/2024-{number % 12 + 1:02}-01", f"/c?day={number}", f"{path}/x", f"/n{number}")
        return page(*links, title=f"Page {number}", text=f"Text {number}.")

    site: Site = open_site({"/robots.txt": Page(status=404)}, make=trap)
    source = index(add_site(base, site, rules={"max_pages": 12}))
    assert source.status == "ready"
    assert source.status_reason.startswith("The limit of 12 pages is reached;")
    assert documents_of(source).filter(status="ready").count() == 12
    assert len(site.requests) <= 12 + 2


SCRIPTS = {
    "UTF-16": ("größer als 36", "utf-16", "text/html"),
    "UTF-16 by its zeros": ("größer als 36", "utf-16-le", "text/html"),
    "Arabic": ("يمكنكم إرجاع البضاعة", "windows-1256", "text/html; charset=windows-1256"),
    "Japanese": ("商品は三十日以内に返品できます", "shift_jis", "text/html; charset=Shift_JIS"),
}


@pytest.mark.parametrize(("words", "encoding", "content_type"), SCRIPTS.values(), ids=list(SCRIPTS))
def test_page_of_any_script_is_read(
    base: KnowledgeBase, open_site: OpenSite, words: str, encoding: str, content_type: str
) -> None:
    body = f"<!doctype html><html><body><h1>Parley</h1><p>{words}".encode(encoding)
    site = open_site({"/": Page(body, content_type=content_type)})
    source = index(add_site(base, site, "/", SourceType.PAGE))
    assert (source.status, source.status_reason) == ("ready", "")
    assert words in live_text(source)


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip bomb": (lambda: with_false_size(zip_bomb(1), 2**31), "200 MiB"),
    "zip bomb that lies": (lambda: with_false_size(zip_bomb(20), 100), "damaged"),
    "encrypted PDF": (make_encrypted_pdf, "password"),
    "PDF without text": (make_scanned_pdf, "scanned images"),
    "10,000 pages": (
        lambda: make_scanned_pdf(10_000),
        "The PDF has 10,000 pages; 2,000 can be read. Split it.",
    ),
    "billion laughs": (
        lambda: make_docx(word_paragraph("&i;").replace("&amp;", "&"), prolog=ENTITIES),
        "entities",
    ),
    "program": (lambda: b"\x7fELF" + bytes(100), "Supported are PDF, DOCX"),
}


@pytest.mark.parametrize(("make", "reason"), FILES.values(), ids=list(FILES))
def test_hostile_file_fails_with_its_reason(
    base: KnowledgeBase, make: Callable[[], bytes], reason: str
) -> None:
    source = index(add_file(base=base, name="a.docx", content_type="", body=make(), actor=SYSTEM))
    assert source.status == "failed"
    assert reason in source.status_reason


def test_file_with_the_wrong_extension_is_read(base: KnowledgeBase) -> None:
    body = make_pdf([[Line("We ship on Mondays.")]])
    source = index(add_file(base=base, name="a.docx", content_type="", body=body, actor=SYSTEM))
    assert source.status == "ready"
    assert "Mondays" in live_text(source)


def test_hostile_page_fails_alone(base: KnowledgeBase, open_site: OpenSite) -> None:
    """Its parser aborts, in a process with those before and after it."""
    sheet = Page(stray_cell_sheet(), content_type="application/octet-stream")
    paths = [f"/p{number}" for number in range(3)]
    site = open_site(
        {
            "/": page(paths[0], "/big.xlsx", *paths[1:]),
            "/big.xlsx": sheet,
            **{path: page(title=path, text=f"Page {path}.") for path in paths},
        }
    )
    source = index(add_site(base, site))
    assert source.status_reason == "1 page could not be read."
    (failed,) = documents_of(source).filter(status="failed")
    assert (failed.url, "more memory" in failed.reason) == (f"{site.url}/big.xlsx", True)
    assert [f"Page {path}." in live_text(source) for path in paths] == [True] * 3
