"""Membership and roles of a workspace."""

from django.db import transaction

from apps.accounts.models import User
from apps.audit.services import Actor, record_change
from apps.workspaces.errors import LastOwner, OwnerRequired
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services.limits import lock_workspace


def add_member(*, workspace: Workspace, user: User, role: Role) -> Member:
    """Add a user to the workspace. Raises ValidationError if they are a member already."""
    member = Member(workspace=workspace, user=user, role=role)
    member.full_clean()
    member.save()
    return member


@transaction.atomic
def change_role(
    *, workspace: Workspace, member: Member, role: Role, by: Member, actor: Actor
) -> Member:
    """Change a member's role. Raises OwnerRequired, LastOwner, or DoesNotExist if removed since."""
    _lock(workspace, member, by)
    if Role.OWNER in (member.role, role):
        _require_owner(by)
    if member.role == role:
        return member
    if member.role == Role.OWNER:
        _require_another_owner(member)
    _save_role(member, role, actor)
    return member


@transaction.atomic
def make_owner(*, member: Member, actor: Actor) -> None:
    """Make a member an owner, without a check: for staff, where no owner can be reached."""
    _lock(member.workspace, member)
    _save_role(member, Role.OWNER, actor)


@transaction.atomic
def remove_member(*, workspace: Workspace, member: Member, by: Member, actor: Actor) -> None:
    """Remove a member. Raises OwnerRequired, LastOwner, or DoesNotExist if removed since."""
    _lock(workspace, member, by)
    if member.role == Role.OWNER:
        _require_owner(by)
        _require_another_owner(member)
    record_change(member, actor=actor, action="member.removed", role=member.role)
    member.delete()


@transaction.atomic
def leave_workspace(*, workspace: Workspace, member: Member, actor: Actor) -> None:
    """Remove a member at their own request. Raises LastOwner."""
    _lock(workspace, member)
    if member.role == Role.OWNER:
        _require_another_owner(member)
    record_change(member, actor=actor, action="member.left", role=member.role)
    member.delete()


@transaction.atomic
def transfer_ownership(*, workspace: Workspace, to: Member, by: Member, actor: Actor) -> None:
    """Make the member `to` an owner and the owner `by` an admin. Raises OwnerRequired."""
    _lock(workspace, to, by)
    _require_owner(by)
    if to.pk == by.pk:
        return
    to.role, by.role = Role.OWNER, Role.ADMIN
    to.save(update_fields=["role"])
    by.save(update_fields=["role"])
    record_change(to, actor=actor, action="member.ownership_received", previous_owner=by.user.email)


def _lock(workspace: Workspace, *members: Member) -> None:
    """Lock the workspace and refresh the members. Raises NotFound if it is closed."""
    lock_workspace(workspace_id=workspace.pk)
    for member in members:
        member.refresh_from_db(from_queryset=Member.objects.filter(workspace=workspace))


def _save_role(member: Member, role: Role, actor: Actor) -> None:
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    record_change(member, actor=actor, action="member.role_changed", role=[before, str(role)])


def _require_owner(member: Member) -> None:
    if member.role != Role.OWNER:
        raise OwnerRequired


def _require_another_owner(member: Member) -> None:
    owners = Member.objects.filter(workspace_id=member.workspace_id, role=Role.OWNER)
    if not owners.exclude(pk=member.pk).exists():
        raise LastOwner
