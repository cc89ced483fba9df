"""Create a workspace with its plan."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import Actor
from apps.credits.plans import start_plan
from apps.workspaces.models import Workspace
from apps.workspaces.queries import owns_a_workspace
from apps.workspaces.services import create_workspace_from_name

DEFAULT_PLAN = "free"


@transaction.atomic
def create_workspace(*, name: str, owner: User, actor: Actor) -> Workspace:
    """Create a workspace on the free plan. Raises ValidationError for an invalid name.

    Only the first workspace that a user owns gets the plan's credits, so that nobody gets more
    credits by creating workspaces.
    """
    first = not owns_a_workspace(owner)
    workspace = create_workspace_from_name(name=name, owner=owner, actor=actor)
    start_plan(
        workspace_id=workspace.id, plan=DEFAULT_PLAN, grant_credits=first, now=timezone.now()
    )
    return workspace
