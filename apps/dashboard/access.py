"""Access to a workspace: from a request or a WebSocket's cookies to the member."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from apps.core.errors import NotFound
from apps.core.ids import NIL_ID, is_id
from apps.dashboard.errors import NotSignedIn, WorkspaceNotFound
from apps.workspaces.models import Member
from apps.workspaces.queries import memberships_for
from apps.workspaces.roles import Permission, is_allowed

View = Callable[..., HttpResponseBase]


def workspace_page(
    permission: Permission, *, methods: Sequence[str] = ("GET", "HEAD")
) -> Callable[[View], View]:
    """Make `view(request, member, …)` a page under `/w/{slug}/` for members with a permission.

    Anonymous visitors are redirected to log in. A user who is not a member gets 404, a member
    whose role lacks the permission 403, another method 405. A NotFound that the view raises
    becomes a 404 page, and a malformed id in the URL is passed on as one that no row has. The
    layout reads `request.member`.
    """

    def decorate(view: View) -> View:
        view = require_http_methods(methods)(view)

        @wraps(view)
        def page(request: HttpRequest, slug: str, **kwargs: str) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            try:
                member = get_member(request.user, slug=slug)
                request.member = member  # type: ignore[attr-defined]
                if not is_allowed(member.role, permission):
                    raise PermissionDenied
                ids = {k: clean_id(v) if k.endswith("_id") else v for k, v in kwargs.items()}
                return view(request, member, **ids)
            except NotFound:
                raise Http404 from None

        return page

    return decorate


def workspace_action(permission: Permission) -> Callable[[View], View]:
    """Make a view that only takes POST, in other respects like `workspace_page`."""
    return workspace_page(permission, methods=("POST",))


def get_member(user: User, **workspace: str) -> Member:
    """The user's membership of the workspace with this slug or id. Raises WorkspaceNotFound."""
    lookup = {f"workspace__{name}": value for name, value in workspace.items()}
    member = memberships_for(user).select_related("user").filter(**lookup).first()
    if member is None:
        raise WorkspaceNotFound
    return member


def get_chatbot_or_404(member: Member, chatbot_id: str) -> Chatbot:
    """The workspace's chatbot, active or not, with its language model. Raises Http404."""
    chatbots = chatbots_for(member.workspace_id).select_related("language_model")
    return get_object_or_404(chatbots, id=chatbot_id)


def current_member(request: HttpRequest) -> Member | None:
    """The member whose workspace page the request is for, if it is for one."""
    return cast("Member | None", getattr(request, "member", None))


def session_from_cookies(cookies: Mapping[str, str]) -> tuple[User, SessionBase]:
    """The signed-in user and their session. Raises NotSignedIn.

    For WebSockets: it does what Django's session and authentication middleware do for requests.
    """
    request = HttpRequest()
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(cookies.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    if not isinstance(user, User):
        raise NotSignedIn
    return user, request.session


def clean_id(value: str) -> str:
    """The id, or for malformed input one that no row has: PostgreSQL rejects NUL characters."""
    return value if is_id(value) else NIL_ID
