"""The docs pages and Try it, public and in a workspace."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from apps.dashboard.docs.examples import ExampleContext, example_names, snippets
from apps.dashboard.docs.pages import PAGES, has_section
from apps.dashboard.docs.rendering import render_article, sections
from tests.contracts.app_boundaries import ROOT
from tests.dashboard.page_client import count_queries_at_1_and_50_rows, login, page_path
from tests.factories import Team, make_api_key, make_chatbot, make_user

SLUGS = [page.slug for page in PAGES]


def get(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


@pytest.mark.parametrize("slug", SLUGS)
def test_page_is_public_and_in_the_workspace(team: Team, slug: str) -> None:
    (page,) = [page for page in PAGES if page.slug == slug]
    outside = get(Client(), f"/docs/{slug}")
    inside = get(login(team.bob), page_path(team.workspace, f"developers/{slug}"))
    for html in (outside, inside):
        assert f"<h1>{page.title}</h1>" in html
        assert "docs:" not in html
        for part in render_article(page).parts:
            assert (not part.example) or f'id="panel-{part.example}-python"' in html


def test_first_page_is_the_quickstart(team: Team) -> None:
    assert "<h1>Quickstart</h1>" in get(Client(), "/docs")
    assert "<h1>Quickstart</h1>" in get(login(team.bob), page_path(team.workspace, "developers"))


def test_unknown_page_is_not_found(team: Team) -> None:
    assert Client().get("/docs/nothing").status_code == 404
    nothing = page_path(team.workspace, "developers/nothing")
    assert login(team.bob).get(nothing).status_code == 404


def test_sections_named_by_pages_exist() -> None:
    for page in PAGES:
        titles = {section.title for section in sections(page.file)}
        assert {*page.sections, *page.excluded_sections} <= titles, page.slug


def test_every_example_is_on_a_page() -> None:
    shown = {part.example for page in PAGES for part in render_article(page).parts if part.example}
    assert shown == set(example_names())


@pytest.mark.parametrize("slug", SLUGS)
def test_links_between_pages_lead_to_headings(slug: str) -> None:
    client = Client()
    for target in re.findall(r'href="(/docs[^"]*|#[^"]+)"', get(client, f"/docs/{slug}")):
        page_url, _, anchor = target.partition("#")
        html = get(client, page_url or f"/docs/{slug}")
        assert not anchor or f'id="{anchor}"' in html, target


def test_links_between_files_resolve() -> None:
    files = [*ROOT.glob("*.md"), *(ROOT / "bench").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        (str(file.relative_to(ROOT)), target)
        for file in files
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", file.read_text())
        if not target.startswith("/") and not (file.parent / target).exists()
    ]
    assert broken == []


def test_anonymous_reader_sees_the_placeholder_chatbot() -> None:
    html = get(Client(), "/docs")
    assert "http://testserver/api/v1/chatbots/CHATBOT_ID/chat" in html
    assert "parley.example" not in html


def test_member_sees_a_chatbot_of_the_workspace(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    for url in ("/docs", page_path(team.workspace, "developers")):
        html = get(login(team.bob), url)
        assert f"http://testserver/api/v1/chatbots/{chatbot.id}/chat" in html
        assert "CHATBOT_ID" not in html


def test_examples_use_the_chosen_chatbot(team: Team) -> None:
    make_chatbot(team.workspace, name="First")
    second = make_chatbot(team.workspace, name="Second")
    foreign = make_chatbot(team.other_workspace)
    url = page_path(team.workspace, "developers/chat")
    client = login(team.bob)
    chosen = get(client, f"{url}?chatbot={second.id}")
    assert f"/chatbots/{second.id}/chat" in chosen
    assert f'href="{page_path(team.workspace, "developers/errors")}?chatbot={second.id}"' in chosen
    assert foreign.id not in get(client, f"{url}?chatbot={foreign.id}").partition("<main")[2]


def test_no_page_shows_a_key(team: Team) -> None:
    make_chatbot(team.workspace)
    secret = make_api_key(team.workspace)
    for slug in SLUGS:
        html = get(login(team.alice), page_path(team.workspace, f"developers/{slug}"))
        assert secret[-4:] not in html
        assert not re.search(r"sk-workspace_\w", html)


@pytest.mark.parametrize("name", example_names())
def test_no_example_holds_a_key(name: str) -> None:
    for each in snippets(name, ExampleContext("https://parley.example")):
        assert "sk-workspace_" not in each.code
        assert name == "verify" or "PARLEY_API_KEY" in each.code


def test_chosen_language_is_shown_first(team: Team) -> None:
    client = Client()
    client.cookies["language"] = "ruby"
    html = get(client, "/docs/chat")
    assert 'data-language="ruby" aria-selected="true"' in html
    client.cookies["language"] = '"><script>'
    assert 'data-language="curl" aria-selected="true"' in get(client, "/docs/chat")


def test_query_count_is_constant(team: Team) -> None:
    def add(number: int) -> None:
        for _ in range(number):
            make_chatbot(team.workspace)

    first, more = count_queries_at_1_and_50_rows(
        login(team.bob), page_path(team.workspace, "developers/chat"), add
    )
    assert first == more


def test_user_without_workspace_sees_the_placeholder(team: Team) -> None:
    assert "CHATBOT_ID" in get(login(make_user("nowhere")), "/docs")


def test_echo_answers_like_the_chat_endpoint() -> None:
    client = Client(REMOTE_ADDR="192.0.2.1")
    response = client.post("/docs/try", {"message": "Hello there"}, content_type="application/json")
    assert response.status_code == 200
    data = response.json()["data"]
    assert (data["response"], data["finishReason"]) == ("Echo: Hello there", "stop")
    assert (data["usage"], data["credits"]) == (
        {"inputTokens": 2, "outputTokens": 3},
        {"charged": 0, "balance": 0},
    )
    assert response.headers["X-RateLimit-Limit"] == "20"
    streamed = client.post(
        "/docs/try", {"message": "Hello there", "stream": True}, content_type="application/json"
    )
    assert streamed.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    frames = streamed.content.decode().split("\n\n")
    assert [frame.split("\n")[1] for frame in frames[:5]] == [
        "event: message.start",
        *["event: message.delta"] * 3,
        "event: message.end",
    ]
    assert frames[5:] == ["data: [DONE]", ""]


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ('{"message": ""}', {"message": ["The message is empty."]}),
        ("{", None),
        (
            '{"message": "%s"}' % ("x" * 501),
            {"message": ["Here the message may have at most 500 characters."]},
        ),
        ('{"message": "x", "model": "gpt"}', {"model": ["This field is not known here."]}),
    ],
)
def test_echo_rejects_like_the_chat_endpoint(body: str, details: object) -> None:
    client = Client(REMOTE_ADDR="192.0.2.2")
    response = client.post("/docs/try", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_ERROR")
    assert response.json()["details"] == (details or {})


def test_echo_is_rate_limited_by_address() -> None:
    body = {"message": "Hello"}
    many = Client(REMOTE_ADDR="192.0.2.3")
    codes = [
        many.post("/docs/try", body, content_type="application/json").status_code for _ in range(21)
    ]
    assert codes == [200] * 20 + [429]
    refused = many.post("/docs/try", body, content_type="application/json")
    assert refused.json()["code"] == "RATE_LIMIT_EXCEEDED"
    assert refused.headers["Retry-After"] == str(refused.json()["retryAfter"])
    other = Client(REMOTE_ADDR="192.0.2.4")
    assert other.post("/docs/try", body, content_type="application/json").status_code == 200


def test_echo_runs_no_queries(team: Team, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        Client(REMOTE_ADDR="192.0.2.5").post(
            "/docs/try", {"message": "Hello"}, content_type="application/json"
        )


def test_every_api_section_is_on_one_page() -> None:
    slugs_by_title = {
        section.title: [
            p.slug for p in PAGES if p.file == "reference/api.md" and has_section(p, section.title)
        ]
        for section in sections("reference/api.md")
    }
    with_pages_of_their_own = {"Knowledge", "Leads", "Webhooks"}
    assert {title for title, slugs in slugs_by_title.items() if not slugs} == (
        with_pages_of_their_own
    )
    assert {title for title, slugs in slugs_by_title.items() if len(slugs) > 1} == set()
