"""Knowledge pages: files uploaded and indexed live, a site previewed, a search, a chatbot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from apps.knowledge.models import Document, KnowledgeBase, Source
from apps.knowledge.pipeline.indexing import index_sources
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge, make_knowledge_base
from tests.knowledge.site import Site, page, text

pytestmark = pytest.mark.browser
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(1_500_000)
"""Larger than the forms of other pages may be."""
HANDBOOK = b"# Delivery\n\nWe ship boots on Mondays.\n\n# Returns\n\nSend them back within 30 days."
DROP_FILE = """(form) => {
    const files = new DataTransfer();
    files.items.add(new File(["We ship shoes on Fridays."], "dropped.txt", { type: "text/plain" }));
    form.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
}"""


def index(team: Team) -> None:
    """Index the team's sources in another thread, because Playwright's loop runs in this one."""

    def run() -> None:
        Source.objects.exclude(workspace=team.workspace).update(due_at=None)
        index_sources(max_seconds=60)
        connections.close_all()

    with ThreadPoolExecutor(1) as worker:
        worker.submit(run).result()


def root_of(team: Team) -> str:
    return f"/w/{team.workspace.slug}/knowledge"


def create_base(page: Page, team: Team) -> None:
    page.goto(root_of(team))
    page.get_by_label("Name").fill("Shop")
    page.get_by_role("button", name="Create knowledge base").click()
    expect(page.get_by_role("heading", name="Shop", level=1)).to_be_visible()


@BOTH_SIZES
def test_files_are_uploaded_indexed_and_searched(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, name="Support")
    page = open_context(live_team.bob, size=size).new_page()
    create_base(page, live_team)
    files = [
        {"name": "handbook.md", "mimeType": "text/markdown", "buffer": HANDBOOK},
        {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
        {"name": "picture.pdf", "mimeType": "application/pdf", "buffer": PICTURE},
    ]
    page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    uploads = page.locator("[data-uploads] li")
    expect(uploads).to_have_text(
        [r"handbook.mdAdded", r"empty.txtThe file is empty.", "picture.pdfAdded"]
    )
    page.locator("#upload").evaluate(DROP_FILE)
    expect(uploads).to_have_count(4)
    rows = page.locator("#sources tbody tr")
    expect(rows).to_have_count(3)  # without a reload
    expect(rows.filter(has_text="handbook.md")).to_contain_text("Waiting")
    assert_accessible(page)
    index(live_team)
    expect(rows.filter(has_text="handbook.md")).to_contain_text("Ready")
    expect(rows.filter(has_text="dropped.txt")).to_contain_text("Ready")
    failed = rows.filter(has_text="picture.pdf")
    expect(failed).to_contain_text("This is an image.")
    expect(failed).to_contain_text("Failed")

    page.get_by_role("link", name="Search test").click()
    page.get_by_label("Question").fill("When do you ship boots?")
    page.get_by_role("button", name="Search", exact=True).click()
    first = page.locator("li.passage").first
    expect(first).to_contain_text("We ship boots on Mondays.")
    expect(first).to_contain_text("Words")
    expect(first).to_contain_text("Meaning")
    assert_accessible(page)
    page.get_by_role("link", name="Open passage 1").click()
    passage = page.locator("article.passage:target")
    expect(passage).to_contain_text("Delivery")
    passage.get_by_text("Edit", exact=True).click()
    passage.get_by_label("Text").fill("We ship boots on Tuesdays.")
    assert_accessible(page)
    passage.get_by_role("button", name="Save passage").click()
    expect(page.locator("article.passage:target")).to_contain_text("Tuesdays")
    page.locator("article.passage:target").get_by_role("button", name="Switch off").click()
    expect(page.locator("article.passage:target")).to_contain_text("Off")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == HANDBOOK

    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}/knowledge")
    page.get_by_label("Shop").check()
    page.get_by_label("Only: ").check()
    assert_accessible(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Shop")).to_be_checked()
    page.goto(root_of(live_team))
    expect(page.locator("tbody tr")).to_contain_text("Support")


@BOTH_SIZES
def test_site_is_previewed_and_added(open_context: OpenContext, live_team: Team, size: str) -> None:
    base = make_knowledge_base(live_team.workspace)
    pages = {
        "/": page("/a", "/private", title="Home"),
        "/a": page(title="A"),
        "/robots.txt": text("User-agent: *\nDisallow: /private"),
    }
    with Site(pages) as site:
        tab = open_context(live_team.bob, size=size).new_page()
        tab.goto(f"{root_of(live_team)}/{base.id}/add")
        tab.get_by_label("One web page or file").check()
        expect(tab.get_by_text("Limits and paths")).to_be_hidden()
        tab.get_by_label("Website").check()
        tab.get_by_text("Limits and paths").click()
        tab.get_by_label("Pages, at most").fill("20")
        tab.get_by_label("Address").fill(f"{site.url}/")
        tab.get_by_role("button", name="Preview").click()
        expect(tab.get_by_role("heading", name="2 pages would be fetched")).to_be_visible()
        tab.get_by_text("1 address left out").click()
        expect(tab.locator("#preview")).to_contain_text("forbids this address to ParleyBot")
        assert_accessible(tab)
    tab.get_by_role("button", name="Add source").click()
    row = tab.locator("#sources tbody tr")
    expect(row).to_contain_text("Website")
    assert Source.objects.get(knowledge_base=base).rules == {"max_pages": 20}
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Indexing was canceled.")
    tab.goto(f"{root_of(live_team)}/{base.id}/add?kind=qna")
    tab.get_by_role("textbox", name="Questions").fill("How long?\nHow far?")
    tab.get_by_label("Answer", exact=True).fill("A week.")
    assert_accessible(tab)
    tab.get_by_role("button", name="Add source").click()
    expect(row.filter(has_text="How long?")).to_contain_text("Waiting")


@BOTH_SIZES
def test_failed_pages_and_deletion(open_context: OpenContext, live_team: Team, size: str) -> None:
    source = make_knowledge(make_chatbot(live_team.workspace), text="Boots")
    Source.objects.filter(id=source.id).update(
        type="crawl", status_reason="1 page could not be read, 0 were left out."
    )
    Document.objects.create(
        workspace=live_team.workspace,
        generation_id=str(source.live_generation_id),
        position=1,
        url="https://example.com/" + "very-long-name/" * 12,
        status="failed",
        reason="The site answered 403 to our user agent.",
    )
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"{root_of(live_team)}/sources/{source.id}/pages")
    page.get_by_role("link", name="Failed 1").click()
    expect(page.locator("tbody tr")).to_contain_text("403")
    assert_accessible(page)
    base_url = f"{root_of(live_team)}/{source.knowledge_base_id}"
    page.goto(base_url)
    page.get_by_role("button", name="Delete Boots").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Boots")
    assert_accessible(page, "dialog[open]")
    dialog.get_by_role("button", name="Delete source").click()
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    page.goto(f"{base_url}/settings")
    page.get_by_role("button", name="Delete knowledge base").click()
    page.get_by_label("Type Shop to confirm").fill("Shop")
    page.get_by_role("dialog").get_by_role("button", name="Delete knowledge base").click()
    expect(page.get_by_role("heading", name="No knowledge bases yet")).to_be_visible()
    assert KnowledgeBase.objects.get(id=source.knowledge_base_id).deleted_at is not None
