from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from apps.credits.models.ledger import LedgerEntry
from apps.workspaces.models import Workspace


class EntryApproval(models.Model):
    """The second person for an entry that moves more credits than one person may alone.

    PostgreSQL refuses changes, and an approval by the entry's author or by a member.
    """

    entry = models.OneToOneField(
        LedgerEntry, on_delete=models.PROTECT, primary_key=True, related_name="approval"
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.entry_id} by {self.approved_by}"
