"""People of one workspace, as its services want them."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.audit.services import Actor, user_actor
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services import add_member
from tests.factories import make_user


def place(workspace: Workspace, user: User) -> Member:
    return Member.objects.get(workspace=workspace, user=user)


def newcomer(workspace: Workspace, role: Role) -> Member:
    return add_member(workspace=workspace, user=make_user(str(role)), role=role)


def verified(user: User) -> User:
    mark_email_verified(user=user)
    return user


def hand(member: Member) -> Actor:
    return user_actor(member.user)


def roles(workspace: Workspace) -> dict[str, str]:
    return dict(Member.objects.filter(workspace=workspace).values_list("user__email", "role"))
