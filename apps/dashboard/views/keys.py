from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from apps.api_keys.errors import ApiKeyEnded
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import api_keys_for, get_api_key
from apps.api_keys.services import issue_key, revoke_key, rotate_key
from apps.audit.services import user_actor
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import active_chatbots_for
from apps.conversations.queries import usage_by_api_key
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.keys import KeyForm, RotationForm
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed

USAGE_PERIOD = timedelta(days=30)


@workspace_page(Permission.VIEW)
def keys(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's API keys with their recent usage."""
    return _render(request, member, KeyForm())


@workspace_action(Permission.MANAGE_KEYS)
@never_cache
def create(request: HttpRequest, member: Member) -> HttpResponse:
    """Create a key. This response is the only one with its secret."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _render(request, member, form, status=422)
    try:
        key, secret = issue_key(
            workspace=member.workspace,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at(),
            actor=user_actor(member.user, request),
        )
    except LimitReached as error:
        form.add_error("name", error.message)
        return _render(request, member, form, status=422)
    return _render_secret(request, member, key, secret)


@workspace_action(Permission.MANAGE_KEYS)
@never_cache
def rotate(request: HttpRequest, member: Member, key_id: str) -> HttpResponse:
    """Replace a key. The old one keeps working for the chosen grace period."""
    key, form = get_api_key(member.workspace_id, key_id), RotationForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose when to revoke the old key.")
        return redirect("dashboard:keys", member.workspace.slug)
    try:
        new, secret = rotate_key(
            key=key, grace=form.grace_period(), actor=user_actor(member.user, request)
        )
    except (ApiKeyEnded, LimitReached) as error:
        messages.error(request, error.message)
        return redirect("dashboard:keys", member.workspace.slug)
    key.refresh_from_db()
    return _render_secret(request, member, new, secret, old=key)


@workspace_action(Permission.MANAGE_KEYS)
def revoke(request: HttpRequest, member: Member, key_id: str) -> HttpResponse:
    """Revoke a key immediately."""
    key = get_api_key(member.workspace_id, key_id)
    revoke_key(key=key, actor=user_actor(member.user, request))
    messages.success(request, f"{key.name} revoked. Requests with this key are now rejected.")
    return redirect("dashboard:keys", member.workspace.slug)


def _render_secret(
    request: HttpRequest, member: Member, key: ApiKey, secret: str, old: ApiKey | None = None
) -> HttpResponse:
    chatbot = next(iter(active_chatbots_for(member.workspace_id)), None)
    context = {
        "key": key,
        "old": old,
        "now": timezone.now(),
        "secret": secret,
        "chatbot": chatbot,
        "curl": _curl(request.build_absolute_uri("/")[:-1], chatbot, secret),
    }
    return render(request, "dashboard/key_created.html", context, status=201)


def _curl(origin: str, chatbot: Chatbot | None, secret: str) -> str:
    chatbot_id = chatbot.id if chatbot else "{chatbotId}"
    return (
        f"curl -X POST {origin}/api/v1/chatbots/{chatbot_id}/chat \\\n"
        f'  -H "Authorization: Bearer {secret}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        """  -d '{"message": "Hello"}'"""
    )


def _render(
    request: HttpRequest, member: Member, form: KeyForm, *, status: int = 200
) -> HttpResponse:
    usage = usage_by_api_key(member.workspace_id, since=timezone.now() - USAGE_PERIOD)
    context = {
        "keys": [(key, usage.get(key.id)) for key in api_keys_for(member.workspace_id)],
        "form": form,
        "rotation": RotationForm(auto_id="%s"),
        "now": timezone.now(),
        "may_manage": is_allowed(member.role, Permission.MANAGE_KEYS),
    }
    return render(request, "dashboard/keys.html", context, status=status)
