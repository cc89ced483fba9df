"""Who may see a page of a workspace: strangers are asked to log in, outsiders find nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.models import User
from apps.workspaces.models import Member
from apps.workspaces.queries import find_member
from apps.workspaces.roles import Permission, is_allowed

View = Callable[..., HttpResponseBase]


class WorkspacePage(Protocol):
    """A view that knows what it wants of a member; the walk over all pages reads it."""

    wants: Permission

    def __call__(self, request: HttpRequest, slug: str, **rest: Any) -> HttpResponseBase: ...


def workspace_page(permission: Permission) -> Callable[[View], WorkspacePage]:
    """Make `view(request, member, …)` a page under `/w/{slug}/`, for members who may.

    Anonymous visitors are sent to log in; to outsiders the workspace does not exist (404); a
    member whose role does not allow it gets 403. What `request.member` holds is the member.
    """

    def wrap(view: View) -> WorkspacePage:
        @wraps(view)
        def page(request: HttpRequest, slug: str, **rest: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            member = get_member(request.user, slug)
            request.member = member  # type: ignore[attr-defined]
            if not is_allowed(member.role, permission):
                raise PermissionDenied
            return view(request, member, **rest)

        page.wants = permission  # type: ignore[attr-defined]
        return cast(WorkspacePage, page)

    return wrap


def get_member(user: User, slug: str) -> Member:
    """The person's place in this workspace. Raises Http404 for every other workspace alike."""
    member = find_member(user, slug)
    if member is None:
        raise Http404
    return member


def current_member(request: HttpRequest) -> Member | None:
    """The member for whom a page of a workspace is being made, if it is one."""
    return cast("Member | None", getattr(request, "member", None))
