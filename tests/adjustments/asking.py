"""Staff, and what they ask for."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group

from apps.accounts.models import User
from apps.adjustments.models import Adjustment
from apps.adjustments.queries import Line, foresee
from apps.adjustments.services import submit
from apps.audit.services import staff
from apps.core.ids import new_id
from apps.workspaces.models import Workspace
from tests.factories import make_user


def staff_of(group: str) -> User:
    """A member of the staff, in one group."""
    user = make_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def line(workspace: Workspace, credits: int, **fields: Any) -> Line:
    """A line of the kind that may give and take."""
    named = {"category": "correction", "reason": "Counted twice", **fields}
    return Line(workspace_id=workspace.id, credits=credits, **named)


def ask(by: User, *lines: Line, id: str = "", **named: Any) -> Adjustment:
    """What comes of these lines, asked for by this person who has just seen what they come to."""
    mark = foresee(lines=lines, by=by).mark
    return submit(
        lines=lines, by=by, actor=staff(by), adjustment_id=id or new_id(), mark=mark, **named
    )


def posted(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """An adjustment by somebody of finance, below the threshold."""
    return ask(staff_of("finance"), line(workspace, credits, **fields))


def asked(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """One that waits for a second person."""
    return ask(staff_of("finance"), line(workspace, credits, **fields))
