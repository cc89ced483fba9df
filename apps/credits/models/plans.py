from django.db import models
from django.db.models import Q

from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField

MAX_CREDITS = 10**12
"""The most credits of one grant or adjustment, so that no balance outgrows its column."""


class Plan(models.Model):
    """How many credits a workspace is granted each month, how long they last, and its limits."""

    id = IdField()
    slug = models.SlugField(max_length=48, unique=True)
    name = NameField(max_length=120)
    monthly_credits = models.PositiveBigIntegerField(default=0)
    credits_last_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Number of months after which unused monthly credits expire. Empty: never.",
    )
    max_running_turns = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Turns of a workspace that run at once. Empty: the server's limit.",
    )
    max_sources = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Sources in a workspace's knowledge bases. Empty: the server's limit.",
    )
    max_knowledge_bytes = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="Bytes of all files in a workspace's knowledge bases. Empty: the server's limit.",
    )
    max_chunks = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Passages that a workspace's sources are cut into. Empty: the server's limit.",
    )
    is_active = models.BooleanField(
        default=True,
        help_text="Offered to workspaces. Workspaces already on the plan keep it.",
    )

    class Meta:
        ordering = ["monthly_credits"]
        constraints = [
            models.CheckConstraint(
                condition=Q(monthly_credits__lte=MAX_CREDITS), name="credits_plan_can_be_granted"
            ),
            models.CheckConstraint(
                condition=Q(credits_last_months__isnull=True)
                | Q(credits_last_months__range=(1, 120)),
                name="credits_plan_lasts_a_month_or_more",
            ),
            models.CheckConstraint(
                condition=Q(max_running_turns__isnull=True) | Q(max_running_turns__gte=1),
                name="credits_plan_runs_a_turn",
            ),
        ]

    def __str__(self) -> str:
        return self.name
