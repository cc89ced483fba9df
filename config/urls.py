"""Every URL."""

from django.contrib import admin
from django.urls import include, path, re_path

from apps.api_kit.unknown_address import UnknownAddressView
from apps.chat.openai.endpoint import UnknownOpenAIAddressView
from apps.dashboard.docs import views as docs
from apps.dashboard.views import home
from apps.infrastructure.web import error_pages
from config import api_reference, openapi
from config.api import api

urlpatterns = [
    path("", home.home, name="home"),
    path("", include("apps.accounts.urls")),
    path("", include("apps.dashboard.onboarding.urls")),
    path("w/<slug:slug>/", include("apps.dashboard.urls")),
    path("bot", home.bot, name="bot"),
    path("styleguide", home.styleguide),
    path("csp-reports", error_pages.csp_report),
    path("docs", docs.public, name="docs"),
    path("docs/api", api_reference.reference_page, name="reference"),
    path("docs/try", docs.try_it, name="docs_try"),
    path("docs/<slug:page>", docs.public, name="docs_page"),
    path("admin/", admin.site.urls),
    path("api/v1/openapi.json", openapi.openapi_view),
    path("api/v1/", include("apps.chat.urls")),
    path("api/v1/", api.urls),
    # After all others: what clients get for the wrong address, in the format of their protocol.
    re_path(r"^/*api/(?:.*/)?openai(?:/|$)", UnknownOpenAIAddressView.as_view()),
    re_path(r"^(?:.*/)?chat/completions/?$", UnknownOpenAIAddressView.as_view()),
    re_path(r"^/*(?:v1/models|openai)(?:/|$)", UnknownOpenAIAddressView.as_view()),
    re_path(r"^/*(?:api|v1)(?:/|$)", UnknownAddressView.as_view()),
]

handler400 = "apps.infrastructure.web.error_pages.bad_request"
handler403 = "apps.infrastructure.web.error_pages.forbidden"
handler404 = "apps.infrastructure.web.error_pages.not_found"
handler500 = "apps.infrastructure.web.error_pages.server_error"
