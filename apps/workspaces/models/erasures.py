from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models.workspaces import Workspace


class Erasure(models.Model):
    """A request to erase the data of one `metadata.userId`, which is cleared once that is done."""

    MAX_USER_ID_LENGTH = 255

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="erasures")
    user_id = models.CharField(max_length=MAX_USER_ID_LENGTH, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    conversations = models.PositiveIntegerField(default=0)
    leads = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                name="workspaces_erasures_to_do",
                condition=Q(done_at__isnull=True),
            ),
            models.Index(fields=["workspace", "-created_at"], name="workspaces_erasures_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=(Q(done_at__isnull=True) & ~Q(user_id=""))
                | Q(done_at__isnull=False, user_id=""),
                name="workspaces_erased_user_is_forgotten",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, ""
