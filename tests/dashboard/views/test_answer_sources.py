"""The sources of answers on the page of a conversation."""

from __future__ import annotations

from django.test import Client

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Knowledge, Turn
from apps.dashboard.presenters.sources import ShownSource, split_answer
from apps.knowledge.services.sources import delete_source
from tests.conversations.citation_factory import make_citation
from tests.dashboard.conversation_pages import url_of
from tests.dashboard.page_client import visible_text
from tests.factories import Team
from tests.knowledge.knowledge_factory import make_knowledge
from tests.turns.turn_factory import complete_turn, make_running_turn


def answer(chatbot: Chatbot, text: str, knowledge: str = Knowledge.FOUND) -> Turn:
    turn = make_running_turn(chatbot)
    complete_turn(turn, text)
    Turn.objects.filter(id=turn.id).update(knowledge=knowledge, retrieval_ms=1234)
    turn.refresh_from_db()
    return turn


def page_of(client: Client, team: Team, turn: Turn) -> str:
    return client.get(url_of(team, turn.conversation_id)).content.decode().partition("<main")[2]


def test_sources_are_listed_cited_ones_first_as_they_were_shown(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    turn = answer(chatbot, "Within 30 days [2], <b>free</b> [7].")
    gone = make_citation(turn, number=1, title="Old <i>page</i>", text="<script>gone</script>")
    source = make_knowledge(chatbot, text="Boots")
    make_citation(turn, number=2, title="Boots", text="As shown.", page=4, source_id=source.id)
    html = page_of(bob, team, turn)
    text = visible_text(html)
    assert "<script>gone" not in html
    assert text.index("2 Boots page 4 Cited As shown. As shown.") < text.index("1 Old <i>page</i>")
    assert f'[<a class="cite" href="#source-{turn.id}-2" aria-label="Source 2">2</a>]' in html
    assert "&lt;b&gt;free&lt;/b&gt; [7]." in html
    assert f"/sources/{source.id}?chunk=" in html
    assert f"/sources/{gone.source_id}" not in html
    assert "2 passages found · 1,234 ms" in text
    delete_source(source=source, actor=SYSTEM)
    html = page_of(bob, team, turn)
    assert f"/sources/{source.id}" not in html
    assert "As shown." in html
    assert visible_text(html).count("The source has been deleted.") == 2


def test_only_web_addresses_become_links(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = answer(chatbot, "So it is [1].")
    make_citation(turn, number=1, url="javascript:alert(1)")
    make_citation(turn, number=2, url="https://shop.example/returns?a=1&b=2")
    html = page_of(bob, team, turn)
    assert "javascript:alert" not in html
    link = 'href="https://shop.example/returns?a=1&amp;b=2" target="_blank" rel="noopener noref'
    assert link in html


def test_answer_without_sources_says_why(team: Team, bob: Client, chatbot: Chatbot) -> None:
    notes = {
        Knowledge.NOTHING_FOUND: ("Nothing was found in the knowledge bases.", "Nothing found"),
        Knowledge.UNAVAILABLE: ("could not be searched", "Unavailable"),
    }
    for knowledge, (note, receipt) in notes.items():
        text = visible_text(page_of(bob, team, answer(chatbot, "Hi", knowledge)))
        assert note in text
        assert f"Knowledge {receipt} · 1,234 ms" in text
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    assert "Knowledge" not in visible_text(page_of(bob, team, turn)).partition("Details")[0]


def test_numbers_in_an_answer_are_split_off(team: Team, chatbot: Chatbot) -> None:
    turn = answer(chatbot, "")
    sources = [
        ShownSource(make_citation(turn, number=number), is_cited=True, source_exists=True)
        for number in (1, 12)
    ]
    parts = split_answer("a [1, 3;12] b [x] [1]", sources)
    assert "".join(part.text for part in parts) == "a [1, 3;12] b [x] [1]"
    linked = [(part.text, part.source.citation.number) for part in parts if part.source]
    assert linked == [("1", 1), ("12", 12), ("1", 1)]
    assert [part.text for part in split_answer("a [1]", [])] == ["a [1]"]
