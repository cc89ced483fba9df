from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models.workspaces import Workspace


class Role(models.TextChoices):
    """A member's role, from most to fewest permissions."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Member(models.Model):
    """A user's membership of a workspace. A trigger keeps an owner in each until it is closed."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=6, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("workspace", "user", name="workspaces_member_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="workspaces_member_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.user_id, self.user.email
