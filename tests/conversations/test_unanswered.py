"""Questions that were not answered, and what members do about them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.annotations import rate_answer, remove_rating
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import TurnNotFound
from apps.conversations.models import Knowledge, QuestionReview, RatingValue, Turn
from apps.conversations.unanswered.queries import find_unanswered_question, unanswered_questions
from apps.conversations.unanswered.services import answer_question, dismiss_question
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from tests.factories import Team, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.turns.turn_factory import complete_turn, make_running_turn


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace, name="Support")


@pytest.fixture
def base(chatbot: Chatbot) -> KnowledgeBase:
    base = make_knowledge_base(chatbot.workspace)
    set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=SYSTEM)
    return base


def ask(chatbot: Chatbot, text: str, knowledge: str = Knowledge.NOTHING_FOUND) -> Turn:
    """A completed turn with this outcome of its search."""
    turn = make_running_turn(chatbot, text=text)
    complete_turn(turn)
    Turn.objects.filter(id=turn.id).update(knowledge=knowledge)
    return turn


def rate_down(turn: Turn) -> None:
    rate_answer(**answer_of(turn), value=RatingValue.DOWN, actor=SYSTEM)


def answer_of(turn: Turn) -> dict[str, Any]:
    return {
        "workspace_id": turn.workspace_id,
        "conversation_id": turn.conversation_id,
        "message_id": turn.message_id,
    }


def listed(team: Team, **filters: Any) -> list[tuple[str, int]]:
    """The texts of the listed questions, and in how many turns each was asked."""
    found = unanswered_questions(team.workspace.id, **filters)
    return [(question.text, len(question.turn_ids)) for question in found]


def write_answer(turn: Turn, base: KnowledgeBase, **fields: Any) -> Source:
    values: dict[str, Any] = {"questions": ["Do you sell skis?"], "answer": "No.", "actor": SYSTEM}
    return answer_question(
        workspace_id=turn.workspace_id,
        turn_id=turn.id,
        knowledge_base_id=base.id,
        **values | fields,
    )


def test_same_questions_are_one_with_the_newest_first(team: Team, chatbot: Chatbot) -> None:
    first = ask(chatbot, "Do you sell skis?")
    other = ask(chatbot, "Is there a café?")
    last = ask(chatbot, "do you  SELL skis")
    ask(chatbot, "Where is my order?", Knowledge.FOUND)
    ask(chatbot, "Hello?", "")
    ask(make_chatbot(team.workspace, name="Other"), "Do you sell skis?")
    ask(make_chatbot(team.other_workspace), "Do you sell skis?")
    skis, *_ = unanswered_questions(team.workspace.id, chatbot_id=chatbot.id)
    assert listed(team) == [
        ("Do you sell skis?", 1),
        ("do you  SELL skis", 2),
        ("Is there a café?", 1),
    ]
    assert skis.turn_ids == (last.id, first.id)
    assert skis.wordings == ("do you  SELL skis", "Do you sell skis?")
    assert (skis.chatbot_name, sorted(skis.failures)) == ("Support", ["nothing_found"])
    delete_conversation(
        workspace_id=team.workspace.id, conversation_id=other.conversation_id, actor=SYSTEM
    )
    assert ("Is there a café?", 1) not in listed(team)


def test_answers_that_are_rated_down_are_listed(team: Team, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "How tall is it?", Knowledge.FOUND)
    nothing = ask(chatbot, "Do you sell skis?")
    assert listed(team) == [("Do you sell skis?", 1)]
    rate_down(turn)
    rate_down(nothing)
    assert listed(team, failure="rated_down") == [("Do you sell skis?", 1), ("How tall is it?", 1)]
    (skis,) = unanswered_questions(team.workspace.id, failure="nothing_found")
    assert skis.failures == {"nothing_found", "rated_down"}
    remove_rating(**answer_of(turn))
    assert listed(team) == [("Do you sell skis?", 1)]


def test_answered_question_comes_back_if_nothing_is_found_again(
    team: Team, chatbot: Chatbot, base: KnowledgeBase
) -> None:
    ask(chatbot, "Do you sell skis?")
    turn = ask(chatbot, "do you sell skis")
    source = write_answer(turn, base, questions=["Do you sell skis?", "Skis?"], answer="From May.")
    assert (source.type, source.questions, source.text, source.status) == (
        "qna",
        ["Do you sell skis?", "Skis?"],
        "From May.",
        "pending",
    )
    assert listed(team) == []
    reviews = QuestionReview.objects.filter(workspace=team.workspace)
    assert set(reviews.values_list("outcome", "source_id")) == {("answered", source.id)}
    assert reviews.count() == 2
    with pytest.raises(TurnNotFound):
        find_unanswered_question(team.workspace.id, turn.id)
    ask(chatbot, "Do you sell skis?")
    assert listed(team) == [("Do you sell skis?", 1)]


def test_dismissed_question_comes_back_only_if_rated_down(team: Team, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Thanks!")
    dismiss_question(workspace_id=team.workspace.id, turn_id=turn.id)
    later = ask(chatbot, "thanks")
    assert listed(team) == []
    rate_down(later)
    assert listed(team) == [("thanks", 1)]
    dismiss_question(workspace_id=team.workspace.id, turn_id=later.id)
    assert listed(team) == []


def test_answer_goes_only_into_an_attached_base(
    team: Team, chatbot: Chatbot, base: KnowledgeBase
) -> None:
    turn = ask(chatbot, "Do you sell skis?")
    for other in (make_knowledge_base(team.workspace), make_knowledge_base(team.other_workspace)):
        with pytest.raises(ValidationError, match="knowledge_base"):
            write_answer(turn, other)
    with pytest.raises(ValidationError, match="answer"):
        write_answer(turn, base, answer=" ")
    assert listed(team) == [("Do you sell skis?", 1)]
    assert Source.objects.filter(workspace=team.workspace).count() == 0


def test_question_of_another_workspace_is_not_found(team: Team, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Do you sell skis?")
    with pytest.raises(TurnNotFound):
        dismiss_question(workspace_id=team.other_workspace.id, turn_id=turn.id)
    assert listed(team) == [("Do you sell skis?", 1)]


def test_deleted_conversation_keeps_no_review(team: Team, chatbot: Chatbot) -> None:
    turn = ask(chatbot, "Do you sell skis?")
    dismiss_question(workspace_id=team.workspace.id, turn_id=turn.id)
    delete_conversation(
        workspace_id=team.workspace.id, conversation_id=turn.conversation_id, actor=SYSTEM
    )
    assert QuestionReview.objects.filter(workspace=team.workspace).count() == 0
