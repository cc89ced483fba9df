"""Creating workspaces and changing their settings."""

import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from apps.accounts.models import User
from apps.audit.services import Actor, record_change
from apps.workspaces.errors import TooManyWorkspaces
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services.members import add_member

_MAX_STEM_LENGTH = 40


@transaction.atomic
def create_workspace(*, slug: str, owner: User, name: str = "") -> Workspace:
    """Create a workspace with its owner. Raises ValidationError for a bad or taken slug."""
    workspace = Workspace(slug=slug, name=name or slug, created_by=owner)
    workspace.full_clean()
    workspace.save()
    add_member(workspace=workspace, user=owner, role=Role.OWNER)
    return workspace


@transaction.atomic
def create_workspace_from_name(*, name: str, owner: User, actor: Actor) -> Workspace:
    """Create a workspace with a slug made from its name.

    Raises ValidationError, or TooManyWorkspaces: a person can have created
    MAX_WORKSPACES_PER_PERSON that are open, whoever owns them now.
    """
    _require_fewer_workspaces(owner)
    workspace = _create_with_free_slug(name=name.strip(), owner=owner)
    record_change(workspace, actor=actor, action="workspace.created")
    return workspace


@transaction.atomic
def rename_workspace(*, workspace: Workspace, name: str, actor: Actor) -> Workspace:
    """Rename the workspace. Its slug, and so its URLs, do not change."""
    before, workspace.name = workspace.name, name.strip()
    workspace.full_clean()
    if workspace.name != before:
        workspace.save(update_fields=["name"])
        record_change(
            workspace, actor=actor, action="workspace.renamed", name=[before, workspace.name]
        )
    return workspace


@transaction.atomic
def set_retention(
    *, workspace: Workspace, conversations_days: int | None, leads_days: int | None, actor: Actor
) -> Workspace:
    """Set for how many days conversations and leads are kept after their last change.

    None keeps them without limit. Raises ValidationError for a number out of range.
    """
    changed: dict[str, list[int | None]] = {}
    new = {"keep_conversations_days": conversations_days, "keep_leads_days": leads_days}
    for name, days in new.items():
        if getattr(workspace, name) != days:
            changed[name] = [getattr(workspace, name), days]
            setattr(workspace, name, days)
    if changed:
        workspace.full_clean()
        workspace.save(update_fields=list(changed))
        record_change(workspace, actor=actor, action="workspace.retention_set", **changed)
    return workspace


def _require_fewer_workspaces(user: User) -> None:
    """Raises TooManyWorkspaces. The person stays locked until the transaction ends."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    limit = settings.MAX_WORKSPACES_PER_PERSON
    if Workspace.objects.filter(created_by=user, closed_at=None).count() >= limit:
        raise TooManyWorkspaces(limit)


def _create_with_free_slug(*, name: str, owner: User) -> Workspace:
    """Create a workspace whose slug is made from its name, with a random suffix if it is taken."""
    Workspace(name=name).clean_fields(exclude=["slug"])
    stem = slugify(name)[:_MAX_STEM_LENGTH].replace("_", "-").strip("-") or "workspace"
    if not Workspace.objects.filter(slug=stem).exists():
        try:
            with transaction.atomic():
                return create_workspace(slug=stem, owner=owner, name=name)
        except (IntegrityError, ValidationError):
            pass  # another request has taken the slug since the check
    return create_workspace(slug=f"{stem}-{secrets.token_hex(3)}", owner=owner, name=name)
