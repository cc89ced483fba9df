"""A chatbot's versions: listed, compared and restored."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.services import user_actor
from apps.chatbots.models import Chatbot, ChatbotVersion
from apps.chatbots.queries import versions_for
from apps.chatbots.services import update_chatbot
from apps.dashboard.presenters.versions import DiffLine, DiffPart, diff_lines
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
    table_cells,
)
from tests.factories import Team, make_chatbot, make_language_model


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    """At version 3: Bob changed the prompt, then Alice the rest."""
    made = make_chatbot(team.workspace, name="Support", system_prompt="Be kind.\nBe brief.")
    change(made, team.bob, system_prompt="Be kind.\nBe very brief.")
    change(made, team.alice, temperature=0.5, stream_by_default=True)
    made.refresh_from_db()
    return made


def change(chatbot: Chatbot, user: Any, **changes: Any) -> None:
    update_chatbot(chatbot=chatbot, actor=user_actor(user), changes=changes)


def numbered(chatbot: Chatbot, number: int) -> ChatbotVersion:
    return versions_for(chatbot).get(number=number)


def at(team: Team, chatbot: Chatbot, *rest: str) -> str:
    return page_path(team.workspace, "/".join(["chatbots", chatbot.id, "versions", *rest]))


def summarize(differences: Any) -> list[tuple[str, str, str]]:
    return [(each.label, each.before, each.after) for each in differences]


def test_list_shows_author_and_changed_settings(team: Team, chatbot: Chatbot) -> None:
    page = login(team.bob).get(at(team, chatbot)).content.decode()
    assert table_cells(page) == [
        [
            "Version 3 Current",
            "Temperature, Stream responses by default",
            team.alice.email,
            "just now",
        ],
        ["Version 2", "System prompt", team.bob.email, "just now"],
        ["Version 1", "Created", "Parley", "just now"],
    ]


def test_version_is_compared_with_the_one_before(team: Team, chatbot: Chatbot) -> None:
    page = login(team.bob).get(at(team, chatbot, numbered(chatbot, 3).id))
    assert summarize(page.context["differences"]) == [
        ("Temperature", "0.7", "0.5"),
        ("Stream responses by default", "no", "yes"),
    ]
    (prompt,) = (
        login(team.bob).get(at(team, chatbot, numbered(chatbot, 2).id)).context["differences"]
    )
    assert prompt.lines == [
        DiffLine("same", [DiffPart("same", "Be kind.")]),
        DiffLine("removed", [DiffPart("same", "Be brief.")]),
        DiffLine(
            "added",
            [DiffPart("same", "Be"), DiffPart("added", " very"), DiffPart("same", " brief.")],
        ),
    ]


def test_any_two_versions_are_compared_older_first(team: Team, chatbot: Chatbot) -> None:
    bob, first, last = login(team.bob), numbered(chatbot, 1), numbered(chatbot, 3)
    labels = ["System prompt", "Temperature", "Stream responses by default"]
    for one, other in ((first, last), (last, first)):
        page = bob.get(at(team, chatbot, f"{one.id}?with={other.id}"))
        assert [label for label, _, _ in summarize(page.context["differences"])] == labels
        assert (page.context["older"], page.context["newer"]) == (first, last)
    made = bob.get(at(team, chatbot, first.id))
    assert (made.context["other"], made.context["differences"]) == (None, [])


def test_model_is_shown_by_its_name_at_the_time(team: Team, chatbot: Chatbot) -> None:
    before, model = chatbot.language_model.name, make_language_model()
    change(chatbot, team.alice, language_model_id=model.id)
    page = login(team.bob).get(at(team, chatbot, numbered(chatbot, 4).id))
    assert summarize(page.context["differences"]) == [("Model", before, model.name)]


def test_added_and_removed_lines_are_diffed_whole() -> None:
    assert list(diff_lines("a\nb", "a\nc\nd")) == [
        DiffLine("same", [DiffPart("same", "a")]),
        DiffLine("removed", [DiffPart("removed", "b")]),
        DiffLine("added", [DiffPart("added", "c")]),
        DiffLine("added", [DiffPart("added", "d")]),
    ]
    long = "word " * 1000
    assert list(diff_lines(long, f"{long}more")) == [
        DiffLine("removed", [DiffPart("removed", long)]),
        DiffLine("added", [DiffPart("added", f"{long}more")]),
    ]


def test_restoring_creates_a_new_version(team: Team, chatbot: Chatbot) -> None:
    alice, restore = login(team.alice), at(team, chatbot, numbered(chatbot, 1).id, "restore")
    texts = shown_messages(alice.post(restore, follow=True))
    assert texts == ["Version 1 restored as version 4."]
    chatbot.refresh_from_db()
    assert (chatbot.system_prompt, chatbot.temperature) == ("Be kind.\nBe brief.", 0.7)
    assert not chatbot.stream_by_default
    texts = shown_messages(alice.post(restore, follow=True))
    assert texts[-1] == "No changes: the chatbot already has these settings."
    assert numbered(chatbot, 4).actor_label == team.alice.email


def test_version_with_inactive_model_is_not_restored(team: Team, chatbot: Chatbot) -> None:
    gone = chatbot.language_model
    change(chatbot, team.alice, language_model_id=make_language_model().id)
    gone.is_active = False
    gone.save()
    restore = at(team, chatbot, numbered(chatbot, 1).id, "restore")
    texts = shown_messages(login(team.alice).post(restore, follow=True))
    assert texts == ["There is no such language model to choose."]
    chatbot.refresh_from_db()
    assert chatbot.version == 4


def test_version_of_another_chatbot_is_not_found(team: Team, chatbot: Chatbot) -> None:
    alice = login(team.alice)
    for other in (make_chatbot(team.workspace), make_chatbot(team.other_workspace)):
        foreign = numbered(other, 1).id
        mine = numbered(chatbot, 1).id
        assert alice.get(at(team, chatbot, foreign)).status_code == 404
        assert alice.get(at(team, chatbot, f"{mine}?with={foreign}")).status_code == 404
        assert alice.post(at(team, chatbot, foreign, "restore")).status_code == 404
    assert alice.get(at(team, chatbot, "c%00")).status_code == 404


def test_restoring_requires_permission(team: Team, chatbot: Chatbot) -> None:
    restore = at(team, chatbot, numbered(chatbot, 1).id, "restore")
    found = {
        name: browser.post(restore).status_code for name, browser in clients_by_role(team).items()
    }
    assert found == {
        "owner": 302,
        "admin": 302,
        "member": 302,
        "viewer": 403,
        "outsider": 404,
        "anonymous": 302,
    }


def test_query_count_is_constant(team: Team) -> None:
    made, prompts = make_chatbot(team.workspace), iter(range(100))

    def add(number: int) -> None:
        for _ in range(number):
            made.refresh_from_db()
            change(made, team.alice, system_prompt=f"Prompt {next(prompts)}")

    first, last = count_queries_at_1_and_50_rows(login(team.bob), at(team, made), add)
    assert first == last
