"""Reads of workspaces."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.workspaces.models import Member, Workspace


def workspace_by_slug(slug: str) -> Workspace:
    """The workspace of this slug, for operators. Raises ValueError where there is none."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise ValueError(f"There is no workspace {slug!r}. Create it with create_workspace.")
    return workspace


def memberships_of(user: User) -> QuerySet[Member]:
    """A person's places, with their workspaces, by the workspaces' names."""
    places = Member.objects.filter(user=user)
    return places.select_related("workspace").order_by("workspace__name", "workspace_id")


def member_of(user: User, slug: str) -> Member | None:
    """The person's place in the workspace of this slug, with it, if they have one."""
    return memberships_of(user).select_related("user").filter(workspace__slug=slug).first()
