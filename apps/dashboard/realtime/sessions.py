"""Sessions of members on the WebSocket: opened from cookies, then polled until they end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import ApiError
from apps.dashboard.access import clean_id, get_member, session_from_cookies
from apps.dashboard.errors import NotSignedIn, WorkspaceNotFound
from apps.infrastructure.postgres.polling import Poller
from apps.workspaces.models import Role
from apps.workspaces.queries import get_roles


@dataclass(frozen=True, slots=True)
class MemberSession:
    """A user's session in one workspace. `session_hash` changes with the user's password."""

    workspace_id: str
    user_id: str
    session_key: str
    session_hash: str


MembershipStatus = Role | type[ApiError]
"""The member's role; NotSignedIn or WorkspaceNotFound once the session or the membership ended."""


def open_session(cookies: Mapping[str, str], workspace_id: str) -> tuple[MemberSession, Role]:
    """The session of these cookies in the workspace, with the member's role.

    Raises NotSignedIn, or WorkspaceNotFound for a workspace of others or none.
    """
    user, session = session_from_cookies(cookies)
    member = get_member(user, id=clean_id(workspace_id))
    key, session_hash = session.session_key or "", session[HASH_SESSION_KEY]
    return MemberSession(member.workspace_id, user.id, key, session_hash), Role(member.role)


def get_role(session: MemberSession) -> Role:
    """The member's current role. Raises NotSignedIn or WorkspaceNotFound."""
    status = fetch_membership_statuses([session])[session]
    if isinstance(status, Role):
        return status
    raise status


def fetch_membership_statuses(
    sessions: Collection[MemberSession],
) -> Mapping[MemberSession, MembershipStatus]:
    """The current status of each session, in three queries."""
    signed_in = _fetch_signed_in(sessions)
    roles = get_roles([(each.workspace_id, each.user_id) for each in sessions])
    return {
        each: roles.get((each.workspace_id, each.user_id), WorkspaceNotFound)
        if each in signed_in
        else NotSignedIn
        for each in sessions
    }


def _fetch_signed_in(sessions: Collection[MemberSession]) -> set[MemberSession]:
    """The sessions that have not expired, of active users whose password is still the same."""
    keys = [each.session_key for each in sessions]
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    open_keys = set(rows.values_list("session_key", flat=True))
    users = User.objects.filter(is_active=True).in_bulk([each.user_id for each in sessions])
    hashes = {user_id: user.get_session_auth_hash() for user_id, user in users.items()}
    return {
        each
        for each in sessions
        if each.session_key in open_keys and each.session_hash == hashes.get(each.user_id)
    }


membership_poller: Poller[MemberSession, MembershipStatus] = Poller(
    fetch_membership_statuses, interval_seconds=1.0
)
"""Polls the status of every open WebSocket's session."""
