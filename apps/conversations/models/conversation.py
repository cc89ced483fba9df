"""Conversations: a thread of messages between an end user and one chatbot."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from apps.chatbots.models import Chatbot
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

# Foreign keys marked db_constraint=False are composite ones over (workspace_id, id), created in
# migrations/sql/: no row refers to a row of another workspace. They have no index of their own
# where another index begins with their column, because every turn pays for each index.

API_SOURCE = "api"
"""The source of a conversation whose first message names none."""
TITLE_LENGTH = 120
NOTE_LENGTH = 4000
SOURCE_LENGTH = 60


class Conversation(models.Model):
    """A thread of messages with one chatbot.

    `title` and `note` are set by the workspace. `source` is `metadata.source` of the first
    message. The row of a deleted conversation stays, because turns refer to it: `deleted_at` hides
    it, and `erased_at` says that its content is removed.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="conversations", db_index=False
    )
    chatbot = models.ForeignKey(
        Chatbot,
        on_delete=models.PROTECT,
        related_name="conversations",
        db_constraint=False,
        db_index=False,
    )
    title = NameField(max_length=TITLE_LENGTH, blank=True, default="", db_default="")
    note = models.TextField(blank=True, default="", db_default="")
    source = NameField(max_length=SOURCE_LENGTH, default=API_SOURCE, db_default=API_SOURCE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_message_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        permissions = [("read_conversation", "Can read what was said, with a reason")]
        indexes = [
            models.Index(
                fields=["workspace", "-last_message_at", "-id"],
                name="conversations_newest",
                condition=Q(deleted_at__isnull=True),
            ),
            models.Index(
                fields=["chatbot", "-last_message_at", "-id"],
                name="conversations_of_chatbot",
                condition=Q(deleted_at__isnull=True),
            ),
            # Only the less common sources: conversations of the default source are not indexed.
            models.Index(
                fields=["workspace", "source", "-last_message_at", "-id"],
                name="conversations_of_source",
                condition=Q(deleted_at__isnull=True) & ~Q(source=API_SOURCE),
            ),
            models.Index(
                fields=["deleted_at"],
                name="conversations_to_erase",
                condition=Q(deleted_at__isnull=False, erased_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="conversations_in_workspace"),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True, erased_at__isnull=True)
                | Q(deleted_at__isnull=False, title="", note=""),
                name="conversations_deleted_say_nothing",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("note"), NOTE_LENGTH),
                name="conversations_note_is_short",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, ""
