from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.audit.queries import entries_for
from apps.audit.services import user_actor
from apps.core.ids import new_id
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.queries import get_workspace_by_slug
from apps.workspaces.services import (
    add_member,
    create_workspace,
    create_workspace_from_name,
    rename_workspace,
)
from tests.factories import Team, make_user
from tests.workspaces.people import roles


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
    assert get_workspace_by_slug(team.workspace.slug) == team.workspace


def test_workspace_that_is_not_there_is_named(db: None) -> None:
    with pytest.raises(ValueError, match="There is no workspace 'nowhere'"):
        get_workspace_by_slug("nowhere")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Acme Inc.", "acme-inc"),
        ("  Übermut & Söhne ", "ubermut-sohne"),
        ("_under_score_", "under-score"),
        ("株式会社", "workspace"),
        ("☃", "workspace"),
        ("x" * 120, "x" * 40),
    ],
)
def test_slug_is_made_of_the_name(team: Team, name: str, stem: str) -> None:
    workspace = create_workspace_from_name(
        name=name, owner=team.alice, actor=user_actor(team.alice)
    )
    assert (workspace.slug, workspace.name) == (stem, name.strip())


def test_second_workspace_of_a_name_has_a_slug_of_its_own(team: Team) -> None:
    first, second = (
        create_workspace_from_name(name="Twins", owner=user, actor=user_actor(user))
        for user in (team.alice, team.bob)
    )
    assert (first.slug, second.slug[:6], len(second.slug)) == ("twins", "twins-", 12)


def test_workspaces_of_one_name_made_at_once_are_all_made(committed: None) -> None:
    name, users = f"Rush {new_id()}", [make_user() for _ in range(4)]
    barrier = Barrier(4)

    def opened(user: User) -> str:
        try:
            barrier.wait()
            return create_workspace_from_name(name=name, owner=user, actor=user_actor(user)).slug
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(opened, users))) == 4


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_workspace_needs_a_name_that_fits(team: Team, name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        create_workspace_from_name(name=name, owner=team.alice, actor=user_actor(team.alice))
    assert list(caught.value.message_dict) == ["name"]


def test_new_name_keeps_the_slug_and_is_written_down(team: Team) -> None:
    before, slug = team.workspace.name, team.workspace.slug
    for _ in range(2):
        rename_workspace(workspace=team.workspace, name=" New ", actor=user_actor(team.alice))
    team.workspace.refresh_from_db()
    assert (team.workspace.name, team.workspace.slug) == ("New", slug)
    (entry,) = entries_for(team.workspace.id)
    assert (entry.action, entry.details) == ("workspace.renamed", {"name": [before, "New"]})
