"""A website, files and answers go in over REST; questions about each are answered with sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.knowledge.knowledge_client import KnowledgeClient
from tests.e2e.knowledge.shop import (
    ANSWER,
    FILES,
    QUESTION,
    REPAIRS,
    TOPICS,
    WEBSITE_QUESTION,
    make_website,
)
from tests.e2e.knowledge.wires import WIRES, Told
from tests.factories import make_chatbot, make_team
from tests.knowledge.site import Site
from tests.web_processes import Caller, WebProcess, start_worker

pytestmark = pytest.mark.timeout(300)  # the shop is indexed by a worker
WEBSITE, QNA, FORBIDDEN_PAGE = "website", "qna", "wholesale page"


@dataclass
class Shop:
    """The shop's sources by name, as they were indexed, and a caller of its chatbot."""

    client: KnowledgeClient
    caller: Caller
    site: Site
    sources: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def shop(web: WebProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    workspace = make_team().workspace
    client = KnowledgeClient(web, workspace)
    base = client.create_base()
    with ExitStack() as stack:
        site = stack.enter_context(Site(make_website()))
        stack.enter_context(start_worker(tmp_path_factory.mktemp("worker")))
        ids = {
            WEBSITE: client.add(base, type="crawl", url=f"{site.url}/", maxPages=50),
            FORBIDDEN_PAGE: client.add(base, type="page", url=f"{site.url}/wholesale"),
            QNA: client.add(base, type="qna", questions=[QUESTION], answer=ANSWER),
            **{
                file.name: client.upload(base, file.name, file.body, file.content_type)
                for file in FILES
            },
        }
        indexed = client.wait_until_indexed(*ids.values())
        chatbot = make_chatbot(workspace, "sandbox/cite", rate_limit_requests=1000)
        client.attach(chatbot, base)
        caller = Caller(web, chatbot, client.key)
        yield Shop(client, caller, site, dict(zip(ids, indexed, strict=True)))


def test_sources_end_as_expected_with_reasons(shop: Shop) -> None:
    statuses = {name: source["status"] for name, source in shop.sources.items()}
    assert statuses == {**dict.fromkeys(shop.sources, "ready"), FORBIDDEN_PAGE: "failed"}
    assert "403" in shop.sources[FORBIDDEN_PAGE]["statusReason"]
    counts = {name: source["chunks"] for name, source in shop.sources.items()}
    assert [name for name, count in counts.items() if count == 0] == [FORBIDDEN_PAGE]


def test_pages_of_the_website_have_their_status_and_reason(shop: Shop) -> None:
    documents = shop.client.documents(shop.sources[WEBSITE]["id"])
    found = {each["url"].removeprefix(shop.site.url): each for each in documents}
    read = {path for path, each in found.items() if each["status"] == "ready"}
    assert read == {"/", *(f"/{name}" for name in TOPICS)}
    assert all(each["reason"] for path, each in found.items() if path not in read)
    assert "403" in found["/wholesale"]["reason"]
    for path in ("/internal/prices", "/internal/staff"):
        assert "robots.txt" in found[path]["reason"]
        assert path not in shop.site.requests


@pytest.mark.parametrize("ask", WIRES)
def test_right_source_comes_first_over_every_wire(shop: Shop, ask: Any) -> None:
    questions = {WEBSITE: WEBSITE_QUESTION, QNA: QUESTION}
    questions |= {file.name: file.question for file in FILES}
    pages = {file.name: file.page for file in FILES}
    urls = {WEBSITE: f"{shop.site.url}{REPAIRS}"}
    for name, question in questions.items():
        told: Told = ask(shop.caller, question)
        assert told.text.startswith(f"Echo: {question} [1]")
        url = urls.get(name)
        for first, *_ in filter(None, (told.sources, told.before_text)):
            shown = {each: first[each] for each in ("number", "sourceId", "url", "page")}
            assert shown == {
                "number": 1,
                "sourceId": shop.sources[name]["id"],
                "url": url,
                "page": pages.get(name),
            }, question
            assert first.get("cited", True)
        if url and ask.__name__ in ("ask_ai_sdk", "ask_openai", "ask_openai_stream"):
            assert told.links[0] == url
