"""Members and actors for tests of workspaces."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.audit.services import Actor, user_actor
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services import add_member
from tests.factories import make_user


def get_member(workspace: Workspace, user: User) -> Member:
    return Member.objects.get(workspace=workspace, user=user)


def add_new_member(workspace: Workspace, role: Role) -> Member:
    return add_member(workspace=workspace, user=make_user(str(role)), role=role)


def verify_email(user: User) -> User:
    mark_email_verified(user=user)
    return user


def actor_for(member: Member) -> Actor:
    return user_actor(member.user)


def roles_by_email(workspace: Workspace) -> dict[str, str]:
    return dict(Member.objects.filter(workspace=workspace).values_list("user__email", "role"))
