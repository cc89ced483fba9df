import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from apps.audit.services import user_actor
from apps.core.errors import ValidationFailed
from apps.dashboard.access import workspace_action, workspace_page
from apps.dashboard.forms.fields import add_api_errors
from apps.dashboard.forms.webhooks import DeliveryFilterForm, EndpointForm
from apps.dashboard.list_pages import paginate
from apps.webhooks import services
from apps.webhooks.errors import EndpointDisabled, TooManyEndpoints
from apps.webhooks.models import Endpoint
from apps.webhooks.queries import deliveries_for, endpoints_for, get_delivery, get_endpoint
from apps.webhooks.signing import build_body
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission, is_allowed


@workspace_page(Permission.VIEW)
def webhooks(request: HttpRequest, member: Member) -> HttpResponse:
    """The workspace's webhook endpoints."""
    context = {
        "endpoints": endpoints_for(member.workspace_id).order_by("-created_at", "-id"),
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
    }
    return render(request, "dashboard/webhooks.html", context)


@workspace_page(Permission.MANAGE_WEBHOOKS)
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """The form for a new endpoint."""
    return render(request, "dashboard/webhook_new.html", {"form": EndpointForm()})


@workspace_action(Permission.MANAGE_WEBHOOKS)
@never_cache
def create(request: HttpRequest, member: Member) -> HttpResponse:
    """Create an endpoint. This response is the only one with its secret."""
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            endpoint, secret = services.create_endpoint(
                workspace_id=member.workspace_id,
                actor=user_actor(member.user, request),
                **form.cleaned_data,
            )
        except TooManyEndpoints as error:
            form.add_error(None, error.message)
        except ValidationFailed as error:
            add_api_errors(form, error)
        else:
            return _render_secret(request, endpoint, secret, "Webhook endpoint created", status=201)
    return render(request, "dashboard/webhook_new.html", {"form": form}, status=422)


@workspace_page(Permission.VIEW)
def webhook(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """An endpoint and its deliveries."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    return _render(request, member, endpoint, EndpointForm.for_endpoint(endpoint))


@workspace_action(Permission.MANAGE_WEBHOOKS)
def edit(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Edit an endpoint."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            services.update_endpoint(
                endpoint=endpoint, actor=user_actor(member.user, request), changes=form.changes()
            )
        except ValidationFailed as error:
            add_api_errors(form, error)
        else:
            messages.success(request, "Changes saved.")
            return _redirect_to(member, endpoint)
    return _render(request, member, endpoint, form, status=422)


@workspace_action(Permission.MANAGE_WEBHOOKS)
def toggle(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Enable or disable an endpoint. Pending deliveries stay pending."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    enabled = request.POST.get("enabled") == "yes"
    changes = services.EndpointChanges(enabled=enabled)
    services.update_endpoint(
        endpoint=endpoint, actor=user_actor(member.user, request), changes=changes
    )
    messages.success(request, "Endpoint enabled." if enabled else "Endpoint disabled.")
    return _redirect_to(member, endpoint)


@workspace_action(Permission.MANAGE_WEBHOOKS)
@never_cache
def rotate(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Create a new secret, shown only in this response. The old one signs for another day."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    endpoint, secret = services.rotate_secret(
        endpoint=endpoint, actor=user_actor(member.user, request)
    )
    return _render_secret(request, endpoint, secret, "New signing secret")


@workspace_action(Permission.MANAGE_WEBHOOKS)
def test(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Send a test event and show its delivery."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    try:
        delivery = services.send_test(endpoint=endpoint)
    except EndpointDisabled as error:
        messages.error(request, error.message)
        return _redirect_to(member, endpoint)
    messages.success(request, "Test event sent.")
    return redirect("dashboard:delivery", member.workspace.slug, delivery.id)


@workspace_action(Permission.MANAGE_WEBHOOKS)
def delete(request: HttpRequest, member: Member, endpoint_id: str) -> HttpResponse:
    """Delete an endpoint with its deliveries."""
    endpoint = get_endpoint(member.workspace_id, endpoint_id)
    services.delete_endpoint(endpoint=endpoint, actor=user_actor(member.user, request))
    messages.success(request, f"{endpoint.origin} deleted.")
    return redirect("dashboard:webhooks", member.workspace.slug)


@workspace_page(Permission.VIEW)
def delivery_page(request: HttpRequest, member: Member, delivery_id: str) -> HttpResponse:
    """One delivery: the request and the response of the last attempt."""
    delivery = get_delivery(member.workspace_id, delivery_id)
    headers = delivery.request_headers.items()
    context = {
        "delivery": delivery,
        "endpoint": delivery.endpoint,
        "headers": "\n".join(f"{name}: {value}" for name, value in headers),
        "body": json.dumps(json.loads(build_body(delivery.event)), ensure_ascii=False, indent=2),
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
    }
    return render(request, "dashboard/delivery.html", context)


@workspace_action(Permission.MANAGE_WEBHOOKS)
def resend(request: HttpRequest, member: Member, delivery_id: str) -> HttpResponse:
    """Send a delivery again."""
    delivery = get_delivery(member.workspace_id, delivery_id)
    try:
        services.resend(delivery=delivery)
    except EndpointDisabled as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Event queued for resending.")
    return redirect("dashboard:delivery", member.workspace.slug, delivery.id)


def _render(
    request: HttpRequest,
    member: Member,
    endpoint: Endpoint,
    form: EndpointForm,
    *,
    status: int = 200,
) -> HttpResponse:
    filter_form = DeliveryFilterForm(member.workspace_id, request.GET)
    context = {
        "endpoint": endpoint,
        "edit_form": form,
        "form": filter_form,
        "page": paginate(request, deliveries_for(endpoint).filter(**filter_form.filters())),
        "may_manage": is_allowed(member.role, Permission.MANAGE_WEBHOOKS),
        "now": timezone.now(),
    }
    return render(request, "dashboard/webhook.html", context, status=status)


def _render_secret(
    request: HttpRequest, endpoint: Endpoint, secret: str, title: str, *, status: int = 200
) -> HttpResponse:
    context = {"endpoint": endpoint, "secret": secret, "title": title}
    return render(request, "dashboard/webhook_secret.html", context, status=status)


def _redirect_to(member: Member, endpoint: Endpoint) -> HttpResponse:
    return redirect("dashboard:webhook", member.workspace.slug, endpoint.id)
