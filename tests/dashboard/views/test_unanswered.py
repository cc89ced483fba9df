"""The page of unanswered questions."""

from __future__ import annotations

from django.test import Client, RequestFactory

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Knowledge, Turn
from apps.dashboard.list_pages import paginate_list
from apps.knowledge.models import Source
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from tests.dashboard.page_client import (
    clients_by_role,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.turns.turn_factory import complete_turn, make_running_turn


def ask(chatbot: Chatbot, text: str) -> Turn:
    """A completed turn in which nothing was found."""
    turn = make_running_turn(chatbot, text=text)
    complete_turn(turn, "We may.")
    Turn.objects.filter(id=turn.id).update(knowledge=Knowledge.NOTHING_FOUND)
    return turn


def url_of(team: Team, *rest: str) -> str:
    return page_path(team.workspace, "/".join(("unanswered", *rest)))


def test_questions_are_listed_and_filtered(team: Team, bob: Client, chatbot: Chatbot) -> None:
    assert "No unanswered questions" in bob.get(url_of(team)).content.decode()
    for text in ("Do you sell <b>skis</b>?", "Do you sell <b>SKIS</b>"):
        ask(chatbot, text)
    other = make_chatbot(team.workspace, name="Sizes")
    ask(other, "What is XL?")
    rows = [row[:5] for row in table_cells(bob.get(url_of(team)).content.decode())]
    assert rows == [
        ["What is XL?", "Sizes", "Nothing found", "1 time", "just now"],
        ["Do you sell <b>SKIS</b>", "Support", "Nothing found", "2 times", "just now"],
    ]
    of_one = bob.get(url_of(team), {"chatbot_id": other.id}).content.decode()
    assert [row[0] for row in table_cells(of_one)] == ["What is XL?"]
    rated = bob.get(url_of(team), {"failure": "rated_down"}).content.decode()
    assert "No matching questions" in rated


def test_answer_is_added_to_a_base(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Do you sell skis?")
    page = visible_text(bob.get(url_of(team, turn.id)).content.decode())
    assert "Support has no knowledge base to add an answer to." in page
    base = make_knowledge_base(team.workspace, "Shop pages")
    set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=SYSTEM)
    html = bob.get(url_of(team, turn.id)).content.decode()
    assert "Do you sell skis?</textarea>" in html
    assert "We may." in visible_text(html)
    fields = {"knowledge_base": base.id, "questions": "Do you sell skis?\r\n\r\nSkis?"}
    refused = bob.post(url_of(team, turn.id, "answer"), {**fields, "answer": " "})
    assert (refused.status_code, "Skis?" in refused.content.decode()) == (422, True)
    added = bob.post(url_of(team, turn.id, "answer"), {**fields, "answer": "No."}, follow=True)
    assert shown_messages(added) == ["Answer added. It is found as soon as it is indexed."]
    assert table_cells(added.content.decode()) == []
    source = Source.objects.get(knowledge_base=base)
    assert (source.questions, source.text) == (["Do you sell skis?", "Skis?"], "No.")
    again = bob.post(url_of(team, turn.id, "answer"), {**fields, "answer": "No."}, follow=True)
    assert shown_messages(again) == ["This question has been answered or dismissed."]
    assert Source.objects.filter(knowledge_base=base).count() == 1


def test_question_is_dismissed(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Thanks!")
    page = bob.post(url_of(team, turn.id, "dismiss"), follow=True)
    assert shown_messages(page) == ["Question dismissed."]
    assert table_cells(page.content.decode()) == []
    assert bob.get(url_of(team, turn.id)).status_code == 404


def test_viewer_reads_and_links_to_the_conversation(team: Team, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Do you sell skis?")
    viewer = clients_by_role(team)["viewer"]
    main = viewer.get(url_of(team)).content.decode().partition("<main")[2]
    assert f"/conversations/{turn.conversation_id}" in main
    assert "Dismiss" not in main
    assert "Write an answer" not in main


def test_pages_of_a_list_in_memory() -> None:
    rows = list(range(5))

    def page(query: str) -> tuple[list[int], str | None, str | None]:
        found = paginate_list(RequestFactory().get(f"/{query}"), rows, limit=2)
        return found.rows, found.first_url, found.next_url

    assert page("") == ([0, 1], None, "?page=2")
    assert page("?failure=x&page=2") == ([2, 3], "?failure=x", "?failure=x&page=3")
    assert page("?page=3") == ([4], "?", None)
    assert page("?page=-1") == page("?page=²") == page("")
