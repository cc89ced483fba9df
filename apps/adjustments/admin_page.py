"""What the admin pages of adjustments share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apps.accounts.access import signed_in_user
from apps.adjustments.models import Adjustment
from apps.adjustments.preview_tokens import ConfirmedPreview, InvalidPreviewToken, read_token

PREVIEW_EXPIRED = "This preview has expired or belongs to someone else. Fill in the form again."


@dataclass(frozen=True, slots=True)
class AdminPage:
    """The context that the admin site needs on every page."""

    context: Mapping[str, Any]

    def render(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        *,
        has_errors: bool = False,
        **context: Any,
    ) -> TemplateResponse:
        """Render `admin/adjustments/<template>.html`, with status 422 if it shows errors."""
        return TemplateResponse(
            request,
            f"admin/adjustments/{template}.html",
            {**self.context, "title": title, **context},
            status=422 if has_errors else 200,
        )


def reads_preview_token(
    view: Callable[[HttpRequest, AdminPage, ConfirmedPreview | None], HttpResponseBase],
) -> Callable[[HttpRequest, AdminPage], HttpResponseBase]:
    """Pass the view the preview whose token was posted, if any; redirect if it is not valid."""

    @wraps(view)
    def wrapper(request: HttpRequest, page: AdminPage) -> HttpResponseBase:
        confirmed = None
        if token := request.POST.get("preview"):
            try:
                confirmed = read_token(token, user=signed_in_user(request))
            except InvalidPreviewToken:
                messages.warning(request, PREVIEW_EXPIRED)
                return redirect(request.get_full_path())
        return view(request, page, confirmed)

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
