"""Questions of a workspace that were not answered and are not reviewed, by what was asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models.functions import Left

from apps.chatbots.queries import chatbots_for
from apps.conversations.errors import TurnNotFound
from apps.conversations.models import (
    Knowledge,
    Message,
    QuestionReview,
    Rating,
    RatingValue,
    ReviewOutcome,
    Role,
    Turn,
)
from apps.core.ids import NIL_ID
from apps.core.search_words import split_words

MAX_TURNS = 2000
"""Turns of each kind that are read, the newest."""
MAX_LENGTH = 1000
"""Characters of a question that are read."""


class Failure(models.TextChoices):
    """Why a question counts as not answered."""

    NOTHING_FOUND = "nothing_found", "Nothing found"
    RATED_DOWN = "rated_down", "Rated down"


@dataclass(frozen=True, slots=True)
class UnansweredQuestion:
    """The turns of a chatbot with one question, apart from its case, accents and punctuation.

    `turn_ids` are the newest first; what else is of one turn is of the newest. `wordings` are the
    different texts of the question, and `at` is when nothing was found or the answer was rated.
    """

    chatbot_id: str
    chatbot_name: str
    conversation_id: str
    turn_ids: tuple[str, ...]
    wordings: tuple[str, ...]
    failures: frozenset[str]
    at: datetime

    @property
    def turn_id(self) -> str:
        return self.turn_ids[0]

    @property
    def text(self) -> str:
        return self.wordings[0]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A turn whose question was not answered, with its review."""

    turn_id: str
    chatbot_id: str
    at: datetime
    failure: Failure
    conversation_id: str
    text: str
    review: QuestionReview | None


def unanswered_questions(
    workspace_id: str, *, chatbot_id: str | None = None, failure: str | None = None
) -> list[UnansweredQuestion]:
    """The questions, newest first. Those of deleted chatbots and conversations are left out.

    After a review only what was asked since counts; of a dismissed question, only answers that were
    rated down since.
    """
    chatbots = chatbots_for(workspace_id)
    if chatbot_id is not None:
        chatbots = chatbots.filter(id=chatbot_id)
    names = dict(chatbots.values_list("id", "name"))
    groups: dict[tuple[str, str], list[_Entry]] = {}
    for entry in _entries(workspace_id, chatbot_id):
        if entry.chatbot_id in names:
            groups.setdefault((entry.chatbot_id, _normalize(entry.text)), []).append(entry)
    questions = [
        _question(names, sorted(entries, key=lambda entry: entry.at, reverse=True))
        for group in groups.values()
        if (entries := _not_reviewed(group))
    ]
    wanted = [each for each in questions if failure is None or failure in each.failures]
    return sorted(wanted, key=lambda question: (question.at, question.turn_id), reverse=True)


def find_unanswered_question(workspace_id: str, turn_id: str) -> UnansweredQuestion:
    """The question that was asked in this turn. Raises TurnNotFound, also if it is reviewed."""
    turn = Turn.objects.filter(workspace_id=workspace_id, id=turn_id).first()
    chatbot_id = turn.chatbot_id if turn is not None else NIL_ID
    for question in unanswered_questions(workspace_id, chatbot_id=chatbot_id):
        if turn_id in question.turn_ids:
            return question
    raise TurnNotFound


def _entries(workspace_id: str, chatbot_id: str | None) -> Iterator[_Entry]:
    """In small statements, each of which an index answers whatever the tables' statistics are."""
    failures = _failures(workspace_id, chatbot_id)
    turn_ids = {turn_id for turn_id, *_ in failures}
    asked = Message.objects.filter(
        workspace_id=workspace_id,
        turn_id__in=turn_ids,
        role=Role.USER,
        conversation__deleted_at=None,
    )
    columns = ("turn_id", "conversation_id", Left("text", MAX_LENGTH))
    questions = {turn_id: (id, text) for turn_id, id, text in asked.values_list(*columns)}
    reviews = QuestionReview.objects.filter(workspace_id=workspace_id).in_bulk(turn_ids)
    for turn_id, of_chatbot, at, failure in failures:
        if turn_id in questions:
            conversation_id, text = questions[turn_id]
            review = reviews.get(turn_id)
            yield _Entry(turn_id, of_chatbot, at, failure, conversation_id, text, review)


def _failures(
    workspace_id: str, chatbot_id: str | None
) -> list[tuple[str, str, datetime, Failure]]:
    """Turns, their chatbots, and when and why they count as not answered."""
    turns = Turn.objects.filter(workspace_id=workspace_id, knowledge=Knowledge.NOTHING_FOUND)
    ratings = Rating.objects.filter(workspace_id=workspace_id, value=RatingValue.DOWN)
    if chatbot_id is not None:
        turns = turns.filter(chatbot_id=chatbot_id)
        ratings = ratings.filter(message__turn__chatbot_id=chatbot_id)
    found = turns.order_by("-created_at").values_list("id", "chatbot_id", "created_at")
    rated = ratings.order_by("-created_at").values_list(
        "message__turn_id", "message__turn__chatbot_id", "created_at"
    )
    return [
        *((*row, Failure.NOTHING_FOUND) for row in found[:MAX_TURNS]),
        *((*row, Failure.RATED_DOWN) for row in rated[:MAX_TURNS]),
    ]


def _normalize(text: str) -> str:
    """What two texts of the same question have in common."""
    return " ".join(split_words(text)) or text.strip()


def _not_reviewed(entries: Sequence[_Entry]) -> list[_Entry]:
    reviews = [entry.review for entry in entries if entry.review is not None]
    if not reviews:
        return list(entries)
    last = max(reviews, key=lambda review: review.created_at)
    counted = {Failure.RATED_DOWN} if last.outcome == ReviewOutcome.DISMISSED else set(Failure)
    return [each for each in entries if each.at > last.created_at and each.failure in counted]


def _question(names: Mapping[str, str], entries: Sequence[_Entry]) -> UnansweredQuestion:
    newest = entries[0]
    return UnansweredQuestion(
        chatbot_id=newest.chatbot_id,
        chatbot_name=names[newest.chatbot_id],
        conversation_id=newest.conversation_id,
        turn_ids=tuple(dict.fromkeys(entry.turn_id for entry in entries)),
        wordings=tuple(dict.fromkeys(entry.text.strip() for entry in entries)),
        failures=frozenset(entry.failure for entry in entries),
        at=newest.at,
    )
