"""Get the user of a request."""

from django.http import Http404, HttpRequest

from apps.accounts.models import User


def signed_in_user(request: HttpRequest) -> User:
    """Return the signed-in user. Raises Http404 without one: use it behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user
