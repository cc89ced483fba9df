"""Browsers without a screen, for the pages of a workspace."""

from __future__ import annotations

from typing import Any

from django.test import Client

from apps.accounts.models import User
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.factories import Team, make_user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def everyone(team: Team) -> dict[str, Client]:
    """A browser for each role in Alice's workspace, for an outsider, and for nobody."""
    admin, viewer = make_user("admin"), make_user("viewer")
    add_member(workspace=team.workspace, user=admin, role=Role.ADMIN)
    add_member(workspace=team.workspace, user=viewer, role=Role.VIEWER)
    people = {"owner": team.alice, "admin": admin, "member": team.bob, "viewer": viewer}
    browsers = {name: signed_in(user) for name, user in people.items()}
    return {**browsers, "outsider": signed_in(team.charlie), "anonymous": Client()}


def path(workspace: Workspace, page: str) -> str:
    return f"/w/{workspace.slug}/{page}"


def says(response: Any) -> list[str]:
    """The messages that the next page shows."""
    return [str(message) for message in response.context["messages"]]
