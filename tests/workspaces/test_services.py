from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.core.ids import new_id
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.queries import workspace_by_slug
from apps.workspaces.services import add_member, create_workspace
from tests.factories import Team


def roles(workspace: Workspace) -> dict[str, str]:
    return dict(Member.objects.filter(workspace=workspace).values_list("user__email", "role"))


def test_workspace_belongs_to_its_owner(team: Team) -> None:
    slug = f"new-{new_id()}"
    workspace = create_workspace(slug=slug, owner=team.charlie, name="New")
    assert (workspace.slug, workspace.name) == (slug, "New")
    assert roles(workspace) == {team.charlie.email: "owner"}


def test_workspace_is_named_by_its_slug_unless_told(team: Team) -> None:
    slug = f"new-{new_id()}"
    assert create_workspace(slug=slug, owner=team.charlie).name == slug


@pytest.mark.parametrize("slug", ["a", "7", "a-b", "a--b", "x" * 48])
def test_slug_of_letters_digits_and_inner_hyphens_is_taken(team: Team, slug: str) -> None:
    assert create_workspace(slug=slug, owner=team.alice).slug == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "A", "a b", "a_b", "ä", "a.b", "x" * 49, "a/b", "a\n"]
)
def test_slug_of_another_form_is_refused(team: Team, slug: str) -> None:
    before = Workspace.objects.count()
    with pytest.raises(ValidationError) as caught:
        create_workspace(slug=slug, owner=team.alice, name="Name")
    assert list(caught.value.message_dict) == ["slug"]
    assert Workspace.objects.count() == before


def test_slug_of_another_workspace_is_refused(team: Team) -> None:
    with pytest.raises(ValidationError, match="A workspace with this slug exists"):
        create_workspace(slug=team.outside.slug, owner=team.alice)
    assert roles(team.outside) == {team.charlie.email: "owner"}


def test_member_joins_one_workspace_only(team: Team) -> None:
    add_member(workspace=team.workspace, user=team.charlie, role=Role.VIEWER)
    assert roles(team.workspace) == {
        team.alice.email: "owner",
        team.bob.email: "member",
        team.charlie.email: "viewer",
    }
    assert roles(team.outside) == {team.charlie.email: "owner"}


def test_member_joins_once(team: Team) -> None:
    with pytest.raises(ValidationError):
        add_member(workspace=team.workspace, user=team.bob, role=Role.ADMIN)
    assert roles(team.workspace)[team.bob.email] == "member"


def test_database_refuses_a_second_membership(team: Team) -> None:
    with pytest.raises(IntegrityError, match="workspaces_member_once"), transaction.atomic():
        Member.objects.create(workspace=team.workspace, user=team.bob, role=Role.ADMIN)


def test_database_refuses_an_unknown_role(team: Team) -> None:
    with pytest.raises(IntegrityError, match="workspaces_member_role_known"), transaction.atomic():
        Member.objects.create(workspace=team.workspace, user=team.charlie, role="king")


def test_workspace_is_found_by_its_slug(team: Team) -> None:
    assert workspace_by_slug(team.workspace.slug) == team.workspace


def test_workspace_that_is_not_there_is_named(db: None) -> None:
    with pytest.raises(ValueError, match="There is no workspace 'nowhere'"):
        workspace_by_slug("nowhere")
