from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models.members import Role
from apps.workspaces.models.workspaces import Workspace

INVITABLE_ROLES = (Role.ADMIN, Role.MEMBER, Role.VIEWER)
"""Nobody is invited as owner: an owner promotes an existing member."""


class Invitation(models.Model):
    """An invitation of an email address: open until it is accepted, revoked or expired."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=6, choices=[(r.value, r.label) for r in INVITABLE_ROLES])
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="workspaces_invitations_recent")]
        constraints = [
            models.UniqueConstraint(
                F("workspace"),
                Lower("email"),
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="workspaces_one_open_invitation",
            ),
            models.CheckConstraint(
                condition=Q(role__in=INVITABLE_ROLES), name="workspaces_invitation_role_known"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True),
                name="workspaces_invitation_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, self.email

    def is_open(self, now: datetime) -> bool:
        """Return whether the invitation can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and not self.is_expired(now)

    def is_expired(self, now: datetime) -> bool:
        """Return whether the invitation has expired."""
        return self.expires_at <= now
