"""Create a workspace with its plan."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import Actor
from apps.credits.plans import start_plan_of_owner
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace_from_name

DEFAULT_PLAN = "free"


@transaction.atomic
def create_workspace(*, name: str, owner: User, actor: Actor) -> Workspace:
    """Create a workspace on the free plan, with its credits if it is the owner's first ever.

    Raises ValidationError for an invalid name, and TooManyWorkspaces.
    """
    workspace = create_workspace_from_name(name=name, owner=owner, actor=actor)
    start_plan_of_owner(
        workspace_id=workspace.id, plan=DEFAULT_PLAN, owner=owner, now=timezone.now()
    )
    return workspace
