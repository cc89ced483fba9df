"""The models of conversations, one concept per module."""

from apps.conversations.models.citation import Citation, quote
from apps.conversations.models.conversation import (
    API_SOURCE,
    NOTE_LENGTH,
    SOURCE_LENGTH,
    TITLE_LENGTH,
    Conversation,
)
from apps.conversations.models.export import Export, ExportPart
from apps.conversations.models.message import Message, Role
from apps.conversations.models.rating import COMMENT_LENGTH, Rating, RatingValue
from apps.conversations.models.review import QuestionReview, ReviewOutcome
from apps.conversations.models.search import Passage, SearchProgress
from apps.conversations.models.turn import NOT_COMPLETED, Knowledge, Turn, TurnStatus, TurnSweep

__all__ = [
    "API_SOURCE",
    "COMMENT_LENGTH",
    "NOTE_LENGTH",
    "NOT_COMPLETED",
    "SOURCE_LENGTH",
    "TITLE_LENGTH",
    "Citation",
    "Conversation",
    "Export",
    "ExportPart",
    "Knowledge",
    "Message",
    "Passage",
    "QuestionReview",
    "Rating",
    "RatingValue",
    "ReviewOutcome",
    "Role",
    "SearchProgress",
    "Turn",
    "TurnStatus",
    "TurnSweep",
    "quote",
]
