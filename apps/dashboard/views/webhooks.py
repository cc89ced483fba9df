from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.audit.services import user_actor
from apps.core.errors import NotFound, ValidationFailed
from apps.dashboard.access import workspace_page
from apps.dashboard.forms.webhooks import DeliveryFilterForm, EndpointForm
from apps.dashboard.list_pages import paginate
from apps.webhooks import services
from apps.webhooks.errors import EndpointDisabled, TooManyEndpoints
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.queries import deliveries_for, endpoints_for, get_delivery, get_endpoint
from apps.webhooks.signing import build_body
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@workspace_page(Permission.VIEW)
@require_safe
def webhooks(request: HttpRequest, member: Member) -> HttpResponse:
    """Where the workspace's events go."""
    context = {
        "endpoints": endpoints_for(member.workspace_id).order_by("-created_at", "-id"),
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
    }
    return render(request, "dashboard/webhooks.html", context)


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_safe
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """The form for another endpoint."""
    return render(request, "dashboard/webhook_new.html", {"form": EndpointForm()})


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
@never_cache
def create(request: HttpRequest, member: Member) -> HttpResponse:
    """A new endpoint. Its secret is on this answer and never again."""
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            endpoint, secret = services.create_endpoint(
                workspace_id=member.workspace_id,
                actor=user_actor(member.user, request),
                **form.cleaned_data,
            )
        except TooManyEndpoints as refusal:
            form.add_error(None, refusal.message)
        except ValidationFailed as refusal:
            _refuse(form, refusal)
        else:
            return _secret(request, endpoint, secret, "Webhook endpoint created", status=201)
    return render(request, "dashboard/webhook_new.html", {"form": form}, status=422)


@workspace_page(Permission.VIEW)
@require_safe
def webhook(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """An endpoint, and what was sent to it."""
    endpoint = _endpoint(member, endpoint_id)
    return _page(request, member, endpoint, EndpointForm.for_endpoint(endpoint))


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
def edit(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Change where events go, and which."""
    endpoint = _endpoint(member, endpoint_id)
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            services.update_endpoint(
                endpoint=endpoint, actor=user_actor(member.user, request), changes=form.changes()
            )
        except NotFound:
            raise Http404 from None
        except ValidationFailed as refusal:
            _refuse(form, refusal)
        else:
            messages.success(request, "Changes saved.")
            return _back(member, endpoint)
    return _page(request, member, endpoint, form, status=422)


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
def switch(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Switch an endpoint on or off; what waits for it waits on."""
    endpoint = _endpoint(member, endpoint_id)
    on = request.POST.get("enabled") == "yes"
    try:
        services.update_endpoint(
            endpoint=endpoint,
            actor=user_actor(member.user, request),
            changes=services.EndpointChanges(enabled=on),
        )
    except NotFound:
        raise Http404 from None
    messages.success(request, "Endpoint enabled." if on else "Endpoint disabled.")
    return _back(member, endpoint)


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
@never_cache
def rotate(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """A new secret, on this answer and never again. The old one signs beside it for a day."""
    try:
        endpoint, secret = services.rotate_secret(
            endpoint=_endpoint(member, endpoint_id), actor=user_actor(member.user, request)
        )
    except NotFound:
        raise Http404 from None
    return _secret(request, endpoint, secret, "New signing secret")


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
def test(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Send the endpoint an event that says nothing, and look at what comes of it."""
    endpoint = _endpoint(member, endpoint_id)
    try:
        delivery = services.send_test(endpoint=endpoint)
    except EndpointDisabled as refusal:
        messages.error(request, refusal.message)
        return _back(member, endpoint)
    except NotFound:
        raise Http404 from None
    messages.success(request, "Test event sent.")
    return redirect("dashboard:delivery", member.workspace.slug, delivery.id)


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
def delete(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Delete an endpoint with its deliveries."""
    endpoint = _endpoint(member, endpoint_id)
    try:
        services.delete_endpoint(endpoint=endpoint, actor=user_actor(member.user, request))
    except NotFound:
        raise Http404 from None
    messages.success(request, f"{endpoint.origin} deleted.")
    return redirect("dashboard:webhooks", member.workspace.slug)


@workspace_page(Permission.VIEW)
@require_safe
def delivery(request: HttpRequest, member: Member, delivery_id: str) -> HttpResponse:
    """One delivery: what was sent, and what came back at the last attempt."""
    found = _delivery(member, delivery_id)
    body = json.dumps(json.loads(build_body(found.event)), ensure_ascii=False, indent=2)
    context = {
        "delivery": found,
        "endpoint": found.endpoint,
        "headers": "\n".join(f"{name}: {value}" for name, value in found.request_headers.items()),
        "body": body,
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
    }
    return render(request, "dashboard/delivery.html", context)


@workspace_page(Permission.MANAGE_WEBHOOKS)
@require_POST
def resend(request: HttpRequest, member: Member, delivery_id: str) -> HttpResponse:
    """Send an event once more."""
    found = _delivery(member, delivery_id)
    try:
        services.resend(delivery=found)
    except EndpointDisabled as refusal:
        messages.error(request, refusal.message)
    except NotFound:
        raise Http404 from None
    else:
        messages.success(request, "Event queued for resending.")
    return redirect("dashboard:delivery", member.workspace.slug, found.id)


def _page(
    request: HttpRequest,
    member: Member,
    endpoint: Endpoint,
    form: EndpointForm,
    *,
    status: int = 200,
) -> HttpResponse:
    filters = DeliveryFilterForm(request.GET)
    context = {
        "endpoint": endpoint,
        "edit_form": form,
        "form": filters,
        "page": paginate(request, deliveries_for(endpoint).filter(**filters.given())),
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
        "now": timezone.now(),
    }
    return render(request, "dashboard/webhook.html", context, status=status)


def _secret(
    request: HttpRequest, endpoint: Endpoint, secret: str, title: str, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"endpoint": endpoint, "secret": secret, "title": title}
    return render(request, "dashboard/webhook_secret.html", context, status=status)


def _refuse(form: EndpointForm, refusal: ValidationFailed) -> None:
    for field, sentences in refusal.details.items():
        form.add_field_errors(field, list(sentences))


def _back(member: Member, endpoint: Endpoint) -> HttpResponse:
    return redirect("dashboard:webhook", member.workspace.slug, endpoint.id)


def _endpoint(member: Member, endpoint_id: str) -> Endpoint:
    try:
        return get_endpoint(member.workspace_id, endpoint_id)
    except NotFound:
        raise Http404 from None


def _delivery(member: Member, delivery_id: str) -> Delivery:
    try:
        return get_delivery(member.workspace_id, delivery_id)
    except NotFound:
        raise Http404 from None
