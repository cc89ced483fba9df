"""Who may listen to a workspace: its members, whatever their role, while they are signed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, get_user
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import ApiError
from apps.core.ids import is_id
from apps.dashboard.errors import NotSignedIn, WorkspaceNotFound
from apps.infrastructure.concurrency.polling import Poller
from apps.workspaces.models import Role
from apps.workspaces.queries import get_roles


@dataclass(frozen=True, slots=True)
class MemberSession:
    """A person, signed in by one session, at one workspace. `session_hash` changes with the
    person's password."""

    workspace_id: str
    user_id: str
    session_key: str
    session_hash: str


MembershipStatus = Role | type[ApiError]
"""A role; or the error of one who is signed out, or no member any more."""


def open_session(cookies: Mapping[str, str], workspace_id: str) -> tuple[MemberSession, Role]:
    """The seat that these cookies open, and the person's role there.

    Raises NotSignedIn, or WorkspaceNotFound for a workspace that is absent or another's.
    """
    request = HttpRequest()
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(cookies.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    if not isinstance(user, User):
        raise NotSignedIn
    if not is_id(workspace_id):
        raise WorkspaceNotFound
    session = request.session
    seat = MemberSession(
        workspace_id, user.id, session.session_key or "", session[HASH_SESSION_KEY]
    )
    return seat, get_role(seat)


def get_role(seat: MemberSession) -> Role:
    """The role by now. Raises NotSignedIn or WorkspaceNotFound."""
    standing = membership_statuses([seat])[seat]
    if isinstance(standing, Role):
        return standing
    raise standing


def membership_statuses(
    seats: Collection[MemberSession],
) -> Mapping[MemberSession, MembershipStatus]:
    """How each of them stands by now."""
    signed_in = _signed_in(seats)
    roles = get_roles([(seat.workspace_id, seat.user_id) for seat in seats])
    return {
        seat: roles.get((seat.workspace_id, seat.user_id), WorkspaceNotFound)
        if seat in signed_in
        else NotSignedIn
        for seat in seats
    }


def _signed_in(seats: Collection[MemberSession]) -> set[MemberSession]:
    keys = [seat.session_key for seat in seats]
    open_sessions = set(
        Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()).values_list(
            "session_key", flat=True
        )
    )
    people = User.objects.filter(is_active=True).in_bulk([seat.user_id for seat in seats])
    hashes = {user_id: user.get_session_auth_hash() for user_id, user in people.items()}
    return {
        seat
        for seat in seats
        if seat.session_key in open_sessions and seat.session_hash == hashes.get(seat.user_id)
    }


membership_poller: Poller[MemberSession, MembershipStatus] = Poller(
    membership_statuses, interval_seconds=1.0
)
"""Tells the holder of a seat how it stands."""
