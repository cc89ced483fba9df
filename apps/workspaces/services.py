"""Changes to workspaces and their members."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.workspaces.models import Member, Role, Workspace


@transaction.atomic
def create_workspace(*, slug: str, owner: User, name: str = "") -> Workspace:
    """A new workspace with its owner. Raises ValidationError for a bad or taken slug."""
    workspace = Workspace(slug=slug, name=name or slug)
    workspace.full_clean()
    workspace.save()
    add_member(workspace=workspace, user=owner, role=Role.OWNER)
    return workspace


def add_member(*, workspace: Workspace, user: User, role: Role) -> Member:
    """Give a person a place in the workspace. Raises ValidationError if they have one."""
    member = Member(workspace=workspace, user=user, role=role)
    member.full_clean()
    member.save()
    return member
