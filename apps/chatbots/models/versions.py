from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.audit.models import ActorKind
from apps.chatbots.models.chatbots import Chatbot
from apps.core.ids import ID_LENGTH
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class ChatbotVersion(models.Model):
    """A version of a chatbot's settings: who made the change, when, and the changed fields.

    `snapshot` has every field of `chatbots.services.VERSIONED_FIELDS` and the language model's
    name at that time. The first version is written when the chatbot is created.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    chatbot = models.ForeignKey(
        Chatbot, on_delete=models.CASCADE, related_name="versions", db_constraint=False
    )
    number = models.PositiveIntegerField()
    actor_kind = models.CharField(max_length=7, choices=ActorKind)
    actor_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    actor_label = models.CharField(max_length=300)
    changed = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    snapshot = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["chatbot", "-created_at", "-id"], name="chatbots_version_newest")
        ]
        constraints = [
            models.UniqueConstraint("chatbot", "number", name="chatbots_version_number_once"),
            models.CheckConstraint(
                condition=Q(actor_kind__in=ActorKind.values),
                name="chatbots_version_actor_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
