"""Limit how many invitations are sent: anybody can have one sent to anybody.

Counted are the invitations of the last hour and day, revoked and replaced ones too: of a workspace,
of the person who invites, and to one mailbox from all workspaces. Each count is made under a lock,
so that concurrent invitations do not exceed it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.workspaces.errors import TooManyInvitations
from apps.workspaces.models import Invitation, Workspace


@dataclass(frozen=True, slots=True)
class _Limit:
    """At most so many in any such time, and when to try again."""

    count: int
    time: timedelta
    again: str


def _limits(an_hour: int, a_day: int) -> tuple[_Limit, _Limit]:
    return (
        _Limit(an_hour, timedelta(hours=1), "in an hour"),
        _Limit(a_day, timedelta(days=1), "tomorrow"),
    )


FROM_WORKSPACE = _limits(30, 100)
FROM_PERSON = _limits(30, 100)
TO_MAILBOX = _limits(4, 8)


def require_invitations_left(*, workspace: Workspace, user: User, email: str) -> None:
    """Raises TooManyInvitations. The caller has locked the workspace."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", [_mailbox(email)])
    _require(Invitation.objects.filter(workspace=workspace), FROM_WORKSPACE)
    _require(Invitation.objects.filter(invited_by=user), FROM_PERSON)
    _require(Invitation.objects.filter(email__regex=_aliases(email)), TO_MAILBOX)


def _require(invitations: QuerySet[Invitation], limits: tuple[_Limit, ...]) -> None:
    for limit in limits:
        if invitations.filter(created_at__gt=Now() - limit.time).count() >= limit.count:
            raise TooManyInvitations(limit.again)


def _mailbox(email: str) -> str:
    """The address without a +tag, which many providers deliver to the same mailbox."""
    local, _, domain = email.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _aliases(email: str) -> str:
    """A regular expression for the addresses of the same mailbox."""
    local, _, domain = _mailbox(email).rpartition("@")
    return rf"^{re.escape(local)}(\+[^@]*)?@{re.escape(domain)}$"
