from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from apps.infrastructure.postgres.id_field import IdField

validate_slug = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?\Z",
    "A slug has 1 to 48 lowercase letters, digits and inner hyphens.",
)


MAX_RETENTION_DAYS = 3650


def _retention_days_constraint(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__range": (1, MAX_RETENTION_DAYS)}),
        name=f"workspaces_{name}",
    )


class Workspace(models.Model):
    """The tenant. Everything an owner sees belongs to exactly one.

    Conversations and leads are kept for so many days after they last changed, or for ever.

    `deletion_due_at` is set when its owner asks to delete it, and can be taken back until then.
    `closed_at` is the end: nobody gets in any more. `erased_at` follows when what people wrote is
    gone; the row, the ledger and the audit log stay.
    """

    id = IdField()
    slug = models.CharField(
        max_length=48,
        unique=True,
        validators=[validate_slug],
        error_messages={"unique": "A workspace with this slug exists."},
    )
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deletion_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    keep_conversations_days = models.PositiveSmallIntegerField(
        null=True, blank=True, editable=False
    )
    keep_leads_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["slug"]
        indexes = [
            models.Index(
                fields=["deletion_due_at"],
                name="workspaces_to_close",
                condition=Q(deletion_due_at__isnull=False, erased_at__isnull=True),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("deletion_due_at")),
                name="workspaces_closed_when_due",
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(closed_at__isnull=False),
                name="workspaces_erased_when_closed",
            ),
            _retention_days_constraint("keep_conversations_days"),
            _retention_days_constraint("keep_leads_days"),
        ]

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
    """A person's place in a workspace. PostgreSQL keeps an owner in every open workspace."""

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


INVITABLE_ROLES = (Role.ADMIN, Role.MEMBER, Role.VIEWER)
"""An owner is made of a member, never by an email."""


class Invitation(models.Model):
    """A place offered to an email address: open until accepted, revoked or expired.

    The link holds the id, signed (`invitations.invitation_token`), and no secret is stored.
    """

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

    def is_open(self, now: datetime) -> bool:
        """Whether the link still opens a place."""
        return self.accepted_at is None and self.revoked_at is None and not self.is_expired(now)

    def is_expired(self, now: datetime) -> bool:
        """Whether the link came too late."""
        return self.expires_at <= now


class Erasure(models.Model):
    """One end-user of a workspace who is to be forgotten, named by `metadata.userId`.

    Once it is done the id is gone too, and only numbers are left.
    """

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
