"""The AI SDK and OpenAI's packages read the sources of an answer."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from apps.knowledge.models import Document
from tests.factories import Team, make_api_key, make_chatbot
from tests.knowledge.chatbot_knowledge import give_knowledge
from tests.node_clients import requires_node, run_node
from tests.web_processes import Caller, WebProcess

ADDRESS = "https://shop.example/returns"
TEXTS = {
    "Returns": "Unused goods may be returned within 30 days, in any shop of ours.",
    "Damage": "Returned goods must be undamaged.",
}
QUESTION = "How many days may unused goods be returned?"
ANSWER = f"Echo: {QUESTION} [1] [2]"


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    """A caller of a chatbot with a page, and a text without an address, that answer QUESTION."""
    chatbot = make_chatbot(live_team.workspace, "sandbox/cite")
    give_knowledge(chatbot, TEXTS)
    documents = Document.objects.filter(workspace=live_team.workspace)
    documents.filter(generation__source__title="Returns").update(url=ADDRESS)
    return Caller(web, chatbot, make_api_key(live_team.workspace))


def check_annotations(content: str, annotations: Any) -> None:
    """The only annotation is the mark of the page."""
    (annotation,) = annotations
    citation = annotation["url_citation"]
    assert annotation["type"] == "url_citation"
    assert content[citation["start_index"] : citation["end_index"]] == "[1]"
    assert (citation["title"], citation["url"]) == ("Returns", ADDRESS)


def check_sources(sources: Any, *, has_cited: bool) -> None:
    shown = [(each["number"], each["title"], each["url"]) for each in sources]
    assert shown == [(1, "Returns", ADDRESS), (2, "Damage", None)]
    assert all(each.get("cited") is (True if has_cited else None) for each in sources)


@pytest.mark.node
@requires_node
def test_ai_sdk_has_sources_before_the_text(caller: Caller) -> None:
    read = run_node(
        "read_ui_stream.mjs",
        url=f"{caller.url}?protocol=ai-sdk",
        method="POST",
        headers={**caller.all_headers, "Content-Type": "application/json"},
        body={"message": QUESTION},
    )
    assert (read["status"], read["invalid"], read["errors"]) == (200, [], [])
    page, text, answer = read["message"]["parts"]
    assert (page["type"], page["url"], page["title"]) == ("source-url", ADDRESS, "Returns")
    assert (text["type"], text["mediaType"], text["title"]) == (
        "source-document",
        "text/plain",
        "Damage",
    )
    numbers = [part["providerMetadata"]["parley"]["number"] for part in (page, text)]
    assert (numbers, answer["text"]) == ([1, 2], ANSWER)
    check_sources(read["message"]["metadata"]["sources"], has_cited=True)


def test_python_package_reads_annotations(caller: Caller) -> None:
    client = OpenAI(base_url=f"{caller.web.url}/api/v1/openai", api_key=caller.key, max_retries=0)
    request: Any = {
        "model": getattr(caller.chatbot, "id", ""),
        "messages": [{"role": "user", "content": QUESTION}],
    }
    completion: Any = client.chat.completions.create(**request)
    message = completion.choices[0].message
    check_annotations(message.content, [each.model_dump() for each in message.annotations])
    check_sources(completion.sources, has_cited=True)
    chunks: list[Any] = list(client.chat.completions.create(**request, stream=True))
    check_sources(chunks[1].sources, has_cited=False)
    check_annotations(ANSWER, chunks[-2].choices[0].delta.annotations)
    with client.chat.completions.stream(**request) as stream:
        final: Any = stream.get_final_completion()
    assert final.choices[0].message.content == ANSWER
    check_annotations(ANSWER, [each.model_dump() for each in final.choices[0].message.annotations])


@pytest.mark.node
@requires_node
def test_node_package_reads_annotations(caller: Caller) -> None:
    read = run_node(
        "create_completion.mjs",
        baseURL=f"{caller.web.url}/api/v1/openai",
        apiKey=caller.key,
        model=getattr(caller.chatbot, "id", ""),
        message=QUESTION,
    )
    message = read["completion"]["choices"][0]["message"]
    check_annotations(message["content"], message["annotations"])
    check_sources(read["completion"]["sources"], has_cited=True)
    check_sources(read["chunks"][1]["sources"], has_cited=False)
    check_annotations(ANSWER, read["chunks"][-2]["choices"][0]["delta"]["annotations"])
    final = read["final"]["choices"][0]["message"]
    assert final["content"] == ANSWER
    check_annotations(ANSWER, final["annotations"])
