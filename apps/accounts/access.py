"""Get the user of a request, and keep them from pages that cannot be shown."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from apps.accounts.models import User
from apps.accounts.second_factor import unreadable_factors

CODES_UNREADABLE = "Your recovery codes cannot be used any more. Generate new ones."


def signed_in_user(request: HttpRequest) -> User:
    """Return the signed-in user. Raises Http404 without one: use it behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def readable_recovery_codes(
    view: Callable[..., HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Send users whose recovery codes cannot be read to the page that generates new ones."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and Authenticator.Type.RECOVERY_CODES in unreadable_factors(user):
            messages.warning(request, CODES_UNREADABLE)
            return redirect("mfa_generate_recovery_codes")
        return view(request, *args, **kwargs)

    return wrapper
