"""The site of the staff admin: who gets in, and which of Django's and unfold's own pages it has."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver
from unfold.sites import UnfoldAdminSite

from apps.accounts.second_factor import has_second_factor

MAX_FOUND_MODELS = 100
SET_UP_SECOND_FACTOR = (
    "The staff admin needs a second factor: set up an authenticator app here, or add a passkey."
)


class DeclaredAutocompleteView(AutocompleteJsonView):
    """Answers only for the fields that an admin form completes, to users who may use the form.

    Django's answers for every foreign key of every model, registered or not.
    """

    admin_site: AdminSite

    def process_request(self, request: HttpRequest) -> Any:
        found: Any = super().process_request(request)
        source_field = found[2]
        form = self.admin_site._registry.get(source_field.model)
        if (
            form is None
            or source_field.name not in form.get_autocomplete_fields(request)
            or not (form.has_add_permission(request) or form.has_change_permission(request))
        ):
            raise PermissionDenied
        return found


class StaffAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """The admin of Parley's staff, who log in on the same page as everybody, with two factors."""

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the site's URLs, without Django's redirect from any row to its public page."""
        urls: list[URLPattern | URLResolver] = super().get_urls()
        return [each for each in urls if getattr(each, "name", None) != "view_on_site"]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def is_staff(self, request: HttpRequest) -> bool:
        """Return whether the user is an active member of staff, with or without second factor."""
        return bool(super().has_permission(request))

    def has_permission(self, request: HttpRequest) -> bool:
        return self.is_staff(request) and not _lacks_second_factor(request)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Send staff without a second factor to the page on which they set one up."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self.is_staff(request) and _lacks_second_factor(request):
                messages.warning(request, SET_UP_SECOND_FACTOR)
                return redirect("mfa_index")
            response: HttpResponseBase = inner(request, *args, **kwargs)
            return response

        return guarded

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        return DeclaredAutocompleteView.as_view(admin_site=self)(request)

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Find models by name for the sidebar and the command palette; rows are not searched."""
        term = request.GET.get("s", "").lower()
        if not term:
            return HttpResponse()
        found = self._search_apps(self.get_app_list(request), term)
        pages = Paginator(found, MAX_FOUND_MODELS)
        is_palette = "extended" in request.GET
        return TemplateResponse(
            request,
            f"unfold/helpers/{'command' if is_palette else 'search'}_results.html",
            {"page_obj": pages, "results": pages.page(1), "page_counter": 0, "execution_time": 0},
            headers={"HX-Trigger": "search"},
        )


def _lacks_second_factor(request: HttpRequest) -> bool:
    """Whether the user needs a second factor and has none. Looked up once a request."""
    if not settings.STAFF_SECOND_FACTOR_REQUIRED:
        return False
    known: bool | None = getattr(request, "_has_second_factor", None)
    if known is None:
        known = has_second_factor(request.user)
        request._has_second_factor = known  # type: ignore[attr-defined]
    return not known
