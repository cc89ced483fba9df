"""The search index of messages and titles."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from apps.conversations.models.conversation import Conversation
from apps.core.ids import ID_LENGTH
from apps.workspaces.models import Workspace


class Passage(models.Model):
    """A search document: the tsvector of a message or of a conversation's title.

    Its id is that of the message or the conversation. A background task writes it a few seconds
    after the message, so that turns do not wait for it.
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
                # Every search scans the pending list.
                gin_pending_list_limit=512,
            ),
            models.Index(fields=["conversation"], name="conversations_passages"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SearchProgress(models.Model):
    """A single row: messages up to the id `read_to` are in the search index."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    read_to = models.CharField(max_length=ID_LENGTH, db_collation="C", blank=True)

    class Meta:
        verbose_name_plural = "search progress"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="conversations_one_progress"),
        ]

    def __str__(self) -> str:
        return self.read_to
