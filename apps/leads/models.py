from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

# PostgreSQL rejects a row that refers to a row of another workspace: foreign keys marked
# db_constraint=False are composite ones over (workspace_id, id), created in migrations/sql/.


class LeadStatus(models.TextChoices):
    """The status that the workspace gives a lead."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    CONVERTED = "converted"
    LOST = "lost"
    FOLLOW_UP = "follow_up"


class Lead(models.Model):
    """A person's contact details, captured for a chatbot.

    `email` and `phone` are normalised (`contact_formats.py`). A lead has at least one of them;
    `email` is null, and `phone` and `name` are empty, while unknown.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="leads")
    chatbot = models.ForeignKey(
        Chatbot, on_delete=models.PROTECT, related_name="leads", db_constraint=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="leads",
        db_constraint=False,
        help_text="Where the lead first came from.",
    )
    name = NameField(max_length=200, blank=True)
    email = models.CharField(max_length=254, null=True, blank=True)  # noqa: DJ001
    phone = models.CharField(max_length=16, blank=True, help_text="E.164 format: +442079460958.")
    source = NameField(max_length=60)
    status = models.CharField(max_length=9, choices=LeadStatus, default=LeadStatus.NEW)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="leads_newest"),
            models.Index(
                fields=["workspace", "chatbot", "-created_at", "-id"],
                name="leads_newest_of_chatbot",
            ),
            # Including the chatbot lets its lists be counted by an index-only scan.
            models.Index(
                fields=["workspace", "status", "-created_at", "-id"],
                include=["chatbot"],
                name="leads_by_status",
            ),
            models.Index(
                fields=["workspace", "source", "-created_at", "-id"],
                include=["chatbot"],
                name="leads_by_source",
            ),
            models.Index(fields=["status", "-id"], name="leads_of_all_by_status"),
            models.Index(fields=["phone"], name="leads_of_all_by_phone", condition=~Q(phone="")),
            # Upper, because Django's icontains compares upper case.
            GinIndex(
                F("workspace"),
                OpClass(Upper("name"), name="gin_trgm_ops"),
                OpClass(Upper("email"), name="gin_trgm_ops"),
                name="leads_search",
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="leads_lead_in_workspace"),
            models.UniqueConstraint("chatbot", "email", name="leads_one_lead_an_email"),
            models.UniqueConstraint(
                "conversation",
                condition=Q(email__isnull=True),
                name="leads_one_without_email_a_conversation",
            ),
            models.CheckConstraint(
                condition=Q(status__in=LeadStatus.values), name="leads_status_known"
            ),
            models.CheckConstraint(
                condition=Q(email__isnull=True) | Q(email__regex=r"^[^A-Z\s]+@[^A-Z\s@]+$"),
                name="leads_email_normalised",
            ),
            models.CheckConstraint(
                condition=Q(phone="") | Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"),
                name="leads_phone_is_e164",
            ),
            models.CheckConstraint(
                condition=Q(email__isnull=False) | ~Q(phone=""), name="leads_can_be_reached"
            ),
        ]

    def __str__(self) -> str:
        # No contact details: logs and the staff admin show this without a reason.
        return str(self.id)

    @property
    def label(self) -> str:
        """What the workspace's members recognise the person by."""
        return self.name or self.email or self.phone

    def audit_target(self) -> tuple[str, str, str]:
        # No name: entries are never deleted, and a person can ask to be erased.
        return self.workspace_id, self.id, ""


class LeadField(models.TextChoices):
    """The fields that can be captured from a message."""

    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"


class CapturedField(models.Model):
    """A citation: one detail of a lead and the message that gave it, once per conversation.

    It keeps what the visitor wrote, also after a member or the API has changed the lead's field.
    """

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, related_name="captured", db_constraint=False
    )
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="captured", db_constraint=False
    )
    field = models.CharField(max_length=5, choices=LeadField)
    value = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "lead", "message", "field", "value", name="leads_captured_once"
            ),
            models.CheckConstraint(
                condition=Q(field__in=LeadField.values), name="leads_captured_field_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.lead_id}"


class Reading(models.Model):
    """Marks a turn as scanned for contact details, so that a deleted lead is not created again."""

    turn = models.OneToOneField(
        Turn, on_delete=models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="leads_reading_oldest")]

    def __str__(self) -> str:
        return str(self.turn_id)
