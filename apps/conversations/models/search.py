"""The search index of messages and titles."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from apps.conversations.models.conversation import Conversation
from apps.core.ids import ID_LENGTH
from apps.workspaces.models import Workspace


class Passage(models.Model):
    """The words of a message, or of a conversation's title, as a search finds them.

    Its id is the message's or the conversation's. `search` writes it, some seconds after the
    message: what a turn writes knows nothing of it.
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH, db_collation="C", editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="passages",
        db_constraint=False,
        db_index=False,
    )
    words = SearchVectorField()

    class Meta:
        indexes = [
            GinIndex(
                fields=["workspace", "words"],
                name="conversations_search",
                # Looked through by every search: kept short.
                gin_pending_list_limit=512,
            ),
            models.Index(fields=["conversation"], name="conversations_passages"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SearchProgress(models.Model):
    """The one row that says up to which id the messages have been read into passages."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    read_to = models.CharField(max_length=ID_LENGTH, db_collation="C", blank=True)

    class Meta:
        verbose_name_plural = "search progress"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="conversations_one_progress"),
        ]

    def __str__(self) -> str:
        return self.read_to
