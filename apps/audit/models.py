from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.infrastructure.postgres.id_field import IdField


class ActorKind(models.TextChoices):
    """The kinds of actors."""

    PERSON = "person", "Member"
    API_KEY = "api_key", "API key"
    STAFF = "staff", "Parley staff"
    SYSTEM = "system", "System"


class AuditEntry(models.Model):
    """An action of a person, an API key, staff or the system. PostgreSQL forbids changes.

    Labels are copies, so that an entry stays readable after the actor or the target is deleted.
    `details` say what changed; they never contain a secret or text that people wrote.
    """

    id = IdField()
    workspace = models.ForeignKey(
        "workspaces.Workspace",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="audit_log",
        help_text="Empty for staff actions that concern no single workspace.",
    )
    actor_kind = models.CharField(max_length=7, choices=ActorKind)
    actor_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    actor_label = models.CharField(max_length=300, help_text="Email address or API key name.")
    action = models.CharField(
        max_length=60, help_text="Resource and verb, such as chatbot.updated."
    )
    target_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    target_label = models.CharField(max_length=300, blank=True)
    details = models.JSONField(default=dict, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="audit_newest"),
            models.Index(fields=["-created_at", "-id"], name="audit_newest_of_all"),
            models.Index(fields=["target_id", "-created_at"], name="audit_of_target"),
            models.Index(fields=["actor_kind", "-id"], name="audit_by_kind_of_actor"),
            models.Index(fields=["actor_label", "-id"], name="audit_by_actor"),
            models.Index(fields=["action", "-id"], name="audit_by_action"),
            models.Index(
                fields=["request_id"], name="audit_of_request", condition=~Q(request_id="")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=ActorKind.values), name="audit_actor_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(action__regex=r"^[a-z_]+\.[a-z_]+$"), name="audit_action_has_its_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}"
