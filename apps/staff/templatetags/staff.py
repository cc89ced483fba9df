"""Template tags of the admin."""

from django import template

from apps.accounts.models import User
from apps.staff.sections import Section
from apps.staff.workspace import sections_for
from apps.workspaces.models import Workspace

register = template.Library()


@register.simple_tag
def workspace_sections(workspace: Workspace | None, viewer: User) -> list[Section]:
    """Return the sections of a workspace, none while it is being created."""
    return sections_for(workspace, viewer) if workspace else []
