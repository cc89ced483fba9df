"""What members do about questions that were not answered."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from apps.audit.services import Actor
from apps.chatbots.queries import chatbots_for
from apps.conversations.models import QuestionReview, ReviewOutcome
from apps.conversations.unanswered.queries import UnansweredQuestion, find_unanswered_question
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.queries import knowledge_bases_of
from apps.knowledge.services.sources import add_question_and_answer
from apps.workspaces.services import lock_workspace


def attached_bases(workspace_id: str, question: UnansweredQuestion) -> list[KnowledgeBase]:
    """The knowledge bases to which an answer to the question can be added."""
    chatbot = chatbots_for(workspace_id).filter(id=question.chatbot_id).first()
    return list(knowledge_bases_of(chatbot)) if chatbot is not None else []


@transaction.atomic
def answer_question(
    *,
    workspace_id: str,
    turn_id: str,
    knowledge_base_id: str,
    questions: Sequence[str],
    answer: str,
    actor: Actor,
) -> Source:
    """Add an answer to a knowledge base of the question's chatbot. A worker indexes it.

    Raises TurnNotFound, ValidationError, and as `add_question_and_answer`.
    """
    lock_workspace(workspace_id=workspace_id)  # so that it is answered once
    question = find_unanswered_question(workspace_id, turn_id)
    bases = {base.id: base for base in attached_bases(workspace_id, question)}
    if knowledge_base_id not in bases:
        raise ValidationError({"knowledge_base": "Choose a knowledge base of the chatbot."})
    source = add_question_and_answer(
        base=bases[knowledge_base_id], questions=questions, answer=answer, actor=actor
    )
    _save_reviews(workspace_id, question, ReviewOutcome.ANSWERED, source.id)
    return source


@transaction.atomic
def dismiss_question(*, workspace_id: str, turn_id: str) -> UnansweredQuestion:
    """Take a question off the list without an answer. Raises TurnNotFound."""
    question = find_unanswered_question(workspace_id, turn_id)
    _save_reviews(workspace_id, question, ReviewOutcome.DISMISSED)
    return question


def _save_reviews(
    workspace_id: str, question: UnansweredQuestion, outcome: ReviewOutcome, source_id: str = ""
) -> None:
    QuestionReview.objects.bulk_create(
        (
            QuestionReview(
                turn_id=turn_id,
                workspace_id=workspace_id,
                outcome=outcome,
                source_id=source_id,
                created_at=Now(),
            )
            for turn_id in question.turn_ids
        ),
        update_conflicts=True,
        unique_fields=["turn"],
        update_fields=["outcome", "source_id", "created_at"],
    )
