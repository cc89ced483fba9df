"""Remember which invitations were opened in this browser, over logging out and in.

A cookie has their ids, which say nothing and permit nothing: an invitation is offered only to
whoever has verified its address.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.accounts.models import User
from apps.core.ids import is_id
from apps.workspaces.models import Invitation
from apps.workspaces.queries import invitations_to

COOKIE = "invitations"
MAX_REMEMBERED = 5
_MAX_AGE_SECONDS = 7 * 24 * 3600
_SEPARATOR = "."


def remember(request: HttpRequest, response: HttpResponse, invitation: Invitation) -> None:
    """Add the invitation to those that were opened in this browser."""
    others = [id for id in _opened_ids(request) if id != invitation.pk]
    _set(response, [invitation.pk, *others][:MAX_REMEMBERED])


def forget(request: HttpRequest, response: HttpResponse, invitation: Invitation) -> None:
    """Remove the invitation: its person has come back to it."""
    if invitation.pk in (opened := _opened_ids(request)):
        _set(response, [id for id in opened if id != invitation.pk])


def opened_invitation_to(request: HttpRequest, user: User) -> Invitation | None:
    """The invitation to this user that was opened in this browser last and is still open."""
    opened = _opened_ids(request)
    if not opened:
        return None
    found = {each.pk: each for each in invitations_to(user, opened, now=timezone.now())}
    return next((found[id] for id in opened if id in found), None)


def _opened_ids(request: HttpRequest) -> list[str]:
    ids = request.COOKIES.get(COOKIE, "").split(_SEPARATOR)
    return [id for id in ids if is_id(id)][:MAX_REMEMBERED]


def _set(response: HttpResponse, ids: list[str]) -> None:
    if not ids:
        response.delete_cookie(COOKIE, samesite="Lax")
        return
    response.set_cookie(
        COOKIE,
        _SEPARATOR.join(ids),
        max_age=_MAX_AGE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=bool(settings.SESSION_COOKIE_SECURE),
    )
