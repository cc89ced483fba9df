"""Citations: the passages that a model was shown in a turn."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.conversations.models.turn import Turn
from apps.core.ids import ID_LENGTH
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

QUOTE_LENGTH = 300
"""Characters of a passage that are sent with an answer."""


class Citation(models.Model):
    """A passage as a model was shown it in a turn, under its number from 1.

    It is a copy: the source may be indexed again or deleted, so `source_id` and `chunk_id` may name
    rows that are gone. `digest` is the chunk's. Deleted together with the conversation's messages.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    turn = models.ForeignKey(
        Turn,
        on_delete=models.PROTECT,
        related_name="citations",
        db_constraint=False,
        db_index=False,
    )
    number = models.PositiveSmallIntegerField()
    source_id = models.CharField(max_length=ID_LENGTH, db_collation="C")
    chunk_id = models.CharField(max_length=ID_LENGTH, db_collation="C")
    digest = models.CharField(max_length=64)
    title = NameField(max_length=300, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    page = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField(help_text="The passage as the model was shown it.")
    score = models.FloatField(help_text="Its rank in the search: orders the passages of a turn.")
    matched_by = ArrayField(models.CharField(max_length=7), default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("turn", "number", name="conversations_citation_once_a_number"),
        ]

    def __str__(self) -> str:
        return f"{self.turn_id} [{self.number}]"

    @property
    def quote(self) -> str:
        """The beginning of the passage, as it is sent with an answer."""
        return quote(self.text)


def quote(text: str) -> str:
    """The beginning of a passage, at most QUOTE_LENGTH characters, cut between words."""
    if len(text) <= QUOTE_LENGTH:
        return text
    cut = text[: QUOTE_LENGTH - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{head if space and len(head) > QUOTE_LENGTH // 2 else cut}…"
