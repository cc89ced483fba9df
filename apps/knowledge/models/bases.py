"""Knowledge bases, and the chatbots that they are attached to."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.chatbots.models import Chatbot, EmbeddingModel
from apps.core.ids import ID_LENGTH
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class KnowledgeBase(models.Model):
    """A workspace's named collection of sources, attached to any number of its chatbots.

    Its chunks are found by the vectors of `embedding_model`. While the model is being changed,
    `next_embedding_model` is the new one: chunks get its vectors beside the old ones, and once all
    have one it takes the old one's place.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="knowledge_bases", db_index=False
    )
    name = NameField(max_length=120)
    embedding_model = models.ForeignKey(EmbeddingModel, on_delete=models.PROTECT, related_name="+")
    next_embedding_model = models.ForeignKey(
        EmbeddingModel,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    embedding_error = models.CharField(
        max_length=500,
        blank=True,
        db_default="",
        editable=False,
        help_text="Why changing the embedding model does not go on.",
    )
    unused_embedding_models = ArrayField(
        models.CharField(max_length=ID_LENGTH),
        default=list,
        blank=True,
        editable=False,
        help_text="Ids of models whose vectors are to be erased.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="knowledge_base_newest"),
            models.Index(
                fields=["id"],
                name="knowledge_base_changing_model",
                condition=models.Q(next_embedding_model__isnull=False),
            ),
        ]
        constraints = [
            # The target of foreign keys over (workspace, base), which keep tenants apart.
            models.UniqueConstraint("workspace", "id", name="knowledge_base_in_workspace"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, self.name


class ChatbotKnowledgeBase(models.Model):
    """A knowledge base that a chatbot answers from."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    chatbot = models.ForeignKey(
        Chatbot,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    knowledge_base = models.ForeignKey(
        KnowledgeBase, on_delete=models.DO_NOTHING, related_name="attachments", db_constraint=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "chatbot", "knowledge_base", name="knowledge_base_attached_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.knowledge_base_id} of {self.chatbot_id}"
