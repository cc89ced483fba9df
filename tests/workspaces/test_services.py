from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

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
from tests.workspaces.members import roles_by_email


def test_created_workspace_has_its_owner(team: Team) -> None:
    slug = f"new-{new_id()}"
    workspace = create_workspace(slug=slug, owner=team.charlie, name="New")
    assert (workspace.slug, workspace.name) == (slug, "New")
    assert roles_by_email(workspace) == {team.charlie.email: "owner"}


def test_team_of_the_tests_is_as_the_services_create_it(team: Team) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    workspace = create_workspace(slug=f"w-{new_id()}", owner=alice)
    add_member(workspace=workspace, user=bob, role=Role.MEMBER)
    for made, expected in [
        (team.workspace, workspace),
        (team.alice, alice),
        (team.bob, bob),
        (team.workspace.members.get(user=team.bob), workspace.members.get(user=bob)),
    ]:
        made.refresh_from_db()
        made.full_clean()
        assert _columns_in_common(made) == _columns_in_common(expected)
    assert roles_by_email(team.workspace) == {team.alice.email: "owner", team.bob.email: "member"}
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}
    assert team.alice.check_password("a-good-password")


def _columns_in_common(row: Model) -> dict[str, object]:
    """Return the values that two rows of a model have in common: none that must be unique."""
    unique = {"id", "slug", "name", "email", "password", "created_at"}
    fields = [field for field in row._meta.concrete_fields if not field.is_relation]
    return {f.name: getattr(row, f.attname) for f in fields if f.name not in unique}


def test_workspace_name_defaults_to_the_slug(team: Team) -> None:
    slug = f"new-{new_id()}"
    assert create_workspace(slug=slug, owner=team.charlie).name == slug


@pytest.mark.parametrize("slug", ["a", "7", "a-b", "a--b", "x" * 48])
def test_valid_slug_is_accepted(team: Team, slug: str) -> None:
    assert create_workspace(slug=slug, owner=team.alice).slug == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "A", "a b", "a_b", "ä", "a.b", "x" * 49, "a/b", "a\n"]
)
def test_invalid_slug_is_rejected(team: Team, slug: str) -> None:
    before = Workspace.objects.count()
    with pytest.raises(ValidationError) as caught:
        create_workspace(slug=slug, owner=team.alice, name="Name")
    assert list(caught.value.message_dict) == ["slug"]
    assert Workspace.objects.count() == before


def test_taken_slug_is_rejected(team: Team) -> None:
    with pytest.raises(ValidationError, match="A workspace with this slug exists"):
        create_workspace(slug=team.other_workspace.slug, owner=team.alice)
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}


def test_member_is_added_to_one_workspace_only(team: Team) -> None:
    add_member(workspace=team.workspace, user=team.charlie, role=Role.VIEWER)
    assert roles_by_email(team.workspace) == {
        team.alice.email: "owner",
        team.bob.email: "member",
        team.charlie.email: "viewer",
    }
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}


def test_member_cannot_be_added_twice(team: Team) -> None:
    with pytest.raises(ValidationError):
        add_member(workspace=team.workspace, user=team.bob, role=Role.ADMIN)
    assert roles_by_email(team.workspace)[team.bob.email] == "member"


def test_database_rejects_a_second_membership(team: Team) -> None:
    with pytest.raises(IntegrityError, match="workspaces_member_once"), transaction.atomic():
        Member.objects.create(workspace=team.workspace, user=team.bob, role=Role.ADMIN)


def test_database_rejects_an_unknown_role(team: Team) -> None:
    with pytest.raises(IntegrityError, match="workspaces_member_role_known"), transaction.atomic():
        Member.objects.create(workspace=team.workspace, user=team.charlie, role="king")


def test_get_workspace_by_slug_returns_the_workspace(team: Team) -> None:
    assert get_workspace_by_slug(team.workspace.slug) == team.workspace


def test_get_workspace_by_slug_names_the_missing_slug(db: None) -> None:
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
def test_slug_is_made_from_the_name(team: Team, name: str, stem: str) -> None:
    workspace = create_workspace_from_name(
        name=name, owner=team.alice, actor=user_actor(team.alice)
    )
    assert (workspace.slug, workspace.name) == (stem, name.strip())


def test_taken_slug_gets_a_random_suffix(team: Team) -> None:
    first, second = (
        create_workspace_from_name(name="Twins", owner=user, actor=user_actor(user))
        for user in (team.alice, team.bob)
    )
    assert (first.slug, second.slug[:6], len(second.slug)) == ("twins", "twins-", 12)


def test_concurrent_workspaces_of_one_name_get_unique_slugs(committed: None) -> None:
    name, users = f"Rush {new_id()}", [make_user() for _ in range(4)]
    barrier = Barrier(4)

    def create(user: User) -> str:
        try:
            barrier.wait()
            return create_workspace_from_name(name=name, owner=user, actor=user_actor(user)).slug
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(create, users))) == 4


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_invalid_workspace_name_is_rejected(team: Team, name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        create_workspace_from_name(name=name, owner=team.alice, actor=user_actor(team.alice))
    assert list(caught.value.message_dict) == ["name"]


def test_rename_keeps_the_slug_and_is_audited(team: Team) -> None:
    before, slug = team.workspace.name, team.workspace.slug
    for _ in range(2):
        rename_workspace(workspace=team.workspace, name=" New ", actor=user_actor(team.alice))
    team.workspace.refresh_from_db()
    assert (team.workspace.name, team.workspace.slug) == ("New", slug)
    (entry,) = entries_for(team.workspace.id)
    assert (entry.action, entry.details) == ("workspace.renamed", {"name": [before, "New"]})
