"""What the admin pages of adjustments share."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from apps.accounts.access import signed_in_user
from apps.adjustments.models import Adjustment
from apps.adjustments.preview_tokens import ConfirmedPreview, InvalidPreviewToken, read_token
from apps.infrastructure.admin import StaffAdmin

PREVIEW_EXPIRED = "This preview has expired or belongs to someone else. Fill in the form again."


def reads_preview_token(
    view: Callable[[HttpRequest, StaffAdmin, ConfirmedPreview | None], HttpResponseBase],
) -> Callable[[HttpRequest, StaffAdmin], HttpResponseBase]:
    """Pass the view the preview whose token was posted, if any; redirect if it is not valid."""

    @wraps(view)
    def wrapper(request: HttpRequest, admin: StaffAdmin) -> HttpResponseBase:
        confirmed = None
        if token := request.POST.get("preview"):
            try:
                confirmed = read_token(token, user=signed_in_user(request))
            except InvalidPreviewToken:
                messages.warning(request, PREVIEW_EXPIRED)
                return redirect(request.get_full_path())
        return view(request, admin, confirmed)

    return wrapper


def redirect_to_adjustment(adjustment: Adjustment) -> HttpResponse:
    """Redirect to the page of the adjustment."""
    return redirect("admin:adjustments_adjustment_change", adjustment.pk)


def redirect_to_result(request: HttpRequest, adjustment: Adjustment) -> HttpResponse:
    """Say whether the adjustment was posted or awaits approval, and redirect to it."""
    if adjustment.is_pending:
        messages.warning(request, "Not posted yet. A second person must approve this.")
    else:
        messages.success(request, "Posted.")
    return redirect_to_adjustment(adjustment)
