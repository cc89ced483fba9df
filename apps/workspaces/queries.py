"""Reads of workspaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.workspaces.models import Member, Role, Workspace


def workspace_by_slug(slug: str) -> Workspace:
    """The workspace of this slug, for operators. Raises ValueError where there is none."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise ValueError(f"There is no workspace {slug!r}. Create it with create_workspace.")
    return workspace


def roles_of(places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Role]:
    """The roles at these places, each a workspace's id and a user's; those that there are."""
    found = Member.objects.filter(
        workspace_id__in={workspace_id for workspace_id, _ in places},
        user_id__in={user_id for _, user_id in places},
    ).values_list("workspace_id", "user_id", "role")
    roles = {(workspace_id, user_id): Role(role) for workspace_id, user_id, role in found}
    return {place: roles[place] for place in places if place in roles}


def memberships_of(user: User) -> QuerySet[Member]:
    """A person's places, with their workspaces, by the workspaces' names."""
    places = Member.objects.filter(user=user)
    return places.select_related("workspace").order_by("workspace__name", "workspace_id")


def member_of(user: User, slug: str) -> Member | None:
    """The person's place in the workspace of this slug, with it, if they have one."""
    return memberships_of(user).select_related("user").filter(workspace__slug=slug).first()


def owners_of(workspace_id: str) -> QuerySet[User]:
    """The people who own a workspace and may still sign in."""
    return User.objects.filter(
        is_active=True, memberships__workspace_id=workspace_id, memberships__role=Role.OWNER
    ).order_by("email")
