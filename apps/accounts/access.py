"""From a request to the person who sent it."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from apps.accounts.models import User


def signed_in_user(request: HttpRequest) -> User:
    """The person who is signed in; views that need one are behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user
