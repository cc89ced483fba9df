from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from apps.core.ids import IdField

slug_form = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?\Z",
    "A slug has 1 to 48 lowercase letters, digits and inner hyphens.",
)


class Workspace(models.Model):
    """The tenant. Everything an owner sees belongs to exactly one."""

    id = IdField()
    slug = models.CharField(
        max_length=48,
        unique=True,
        validators=[slug_form],
        error_messages={"unique": "A workspace with this slug exists."},
    )
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        """Where its pages begin."""
        return f"/w/{self.slug}/"


class Role(models.TextChoices):
    """What a member may do, from most to least."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Member(models.Model):
    """A person's place in a workspace."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
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
