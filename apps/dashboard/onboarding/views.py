from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.access import signed_in_user
from apps.accounts.models import User
from apps.accounts.queries import has_verified_email
from apps.audit.services import user_actor
from apps.dashboard.onboarding.forms import WorkspaceForm
from apps.dashboard.onboarding.opened_invitations import forget, opened_invitation_to, remember
from apps.dashboard.onboarding.services import create_workspace
from apps.workspaces.errors import InvitationError, TooManyWorkspaces
from apps.workspaces.queries import (
    get_invitation_by_token,
    invitation_token,
    memberships_for,
)
from apps.workspaces.services import accept_invitation


@require_safe
@login_required
def workspaces(request: HttpRequest) -> HttpResponse:
    """The page after signing in: redirect to an invitation that was opened before, or to the only
    workspace, or offer a choice."""
    user = signed_in_user(request)
    if opened := opened_invitation_to(request, user):
        return redirect("accept_invitation", invitation_token(opened))
    memberships = list(memberships_for(user))
    if len(memberships) == 1 and "choose" not in request.GET:
        return redirect(memberships[0].workspace)
    return render(request, "onboarding/workspaces.html", {"memberships": memberships})


@require_http_methods(["GET", "POST"])
@login_required
def new_workspace(request: HttpRequest) -> HttpResponse:
    """Create another workspace."""
    form = WorkspaceForm(request.POST or None)
    if form.is_valid():
        user = signed_in_user(request)
        try:
            workspace = create_workspace(
                name=form.cleaned_data["name"], owner=user, actor=user_actor(user, request)
            )
        except TooManyWorkspaces as error:
            form.add_error("name", str(error))
        else:
            return redirect(workspace)
    return render(request, "onboarding/new_workspace.html", {"form": form})


@require_http_methods(["GET", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation. A POST by the signed-in user accepts it."""
    try:
        found = get_invitation_by_token(token)
        if request.user.is_authenticated and request.method == "POST":
            return _accept(request, token)
    except InvitationError as error:
        return render(request, "onboarding/refused.html", {"error": error}, status=410)
    response = render(request, "onboarding/invitation.html", {"invitation": found})
    user = request.user
    if isinstance(user, User) and has_verified_email(user, found.email):
        forget(request, response, found)
    else:
        remember(request, response, found)
    return response


def _accept(request: HttpRequest, token: str) -> HttpResponse:
    user = signed_in_user(request)
    member = accept_invitation(token=token, user=user, actor=user_actor(user, request))
    messages.success(request, f"You joined {member.workspace.name} as {member.role}.")
    return redirect(member.workspace)
