from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from apps.workspaces.models import Workspace


class WelcomeGrant(models.Model):
    """That a person has had the credits of a first workspace, which nobody gets twice.

    Kept whatever becomes of the workspace: transferred, left or deleted.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"
