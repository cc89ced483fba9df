from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.credits.models.plans import MAX_CREDITS, Plan
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class RequestKind(models.TextChoices):
    """What a workspace requests from staff."""

    PLAN = "plan", "Plan change"
    PURCHASE = "purchase", "Credit purchase"


class RequestState(models.TextChoices):
    """`open`, then one of the others, which is final."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


DECIDED_STATES = (RequestState.ACCEPTED, RequestState.DECLINED)


class CreditRequest(models.Model):
    """A workspace's request for another plan or for credits, and the decision of staff."""

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="credit_requests"
    )
    kind = models.CharField(max_length=8, choices=RequestKind)
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    credits = models.BigIntegerField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=9, choices=RequestState, default=RequestState.OPEN)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    first_accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who accepted first, of the two people that so many credits take.",
    )
    answer = models.CharField(max_length=500, blank=True, help_text="Shown to the workspace.")

    class Meta:
        permissions = [("decide_creditrequest", "Can accept and decline requests")]
        indexes = [
            models.Index(
                fields=["workspace", "-created_at", "-id"], name="credits_requests_newest"
            ),
            models.Index(
                fields=["created_at"],
                name="credits_requests_open",
                condition=Q(state=RequestState.OPEN),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "workspace",
                "kind",
                condition=Q(state=RequestState.OPEN),
                name="credits_one_open_request_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind=RequestKind.PLAN, plan__isnull=False, credits__isnull=True)
                | Q(kind=RequestKind.PURCHASE, plan__isnull=True, credits__range=(1, MAX_CREDITS)),
                name="credits_request_says_what_it_wants",
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.OPEN, ended_at__isnull=True)
                | Q(state__in=[*DECIDED_STATES, RequestState.WITHDRAWN], ended_at__isnull=False),
                name="credits_request_ends_once_not_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=DECIDED_STATES, decided_by__isnull=False)
                | Q(decided_by__isnull=True, answer=""),
                name="credits_request_is_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(first_accepted_by__isnull=True)
                | ~Q(state=RequestState.ACCEPTED)
                | ~Q(first_accepted_by=F("decided_by")),
                name="credits_request_is_accepted_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.workspace}"
