"""Every address."""

from django.contrib import admin
from django.urls import include, path

from apps.core import views as core
from apps.dashboard.views import docs, front
from config import openapi, reference
from config.api import api

urlpatterns = [
    path("", front.home, name="home"),
    path("healthz", core.healthz),
    path("readyz", core.readyz),
    path("", include("apps.accounts.urls")),
    path("", include("apps.dashboard.entrance.urls")),
    path("w/<slug:slug>/", include("apps.dashboard.urls")),
    path("styleguide", front.styleguide),
    path("csp-reports", core.csp_report),
    path("docs", docs.public, name="docs"),
    path("docs/api", reference.page, name="reference"),
    path("docs/try", docs.try_it, name="docs_try"),
    path("docs/<slug:page>", docs.public, name="docs_page"),
    path("admin/", admin.site.urls),
    path("api/v1/openapi.json", openapi.serve),
    path("api/v1/", include("apps.chat.urls")),
    path("api/v1/", api.urls),
]

handler400 = "apps.core.views.bad_request"
handler403 = "apps.core.views.forbidden"
handler404 = "apps.core.views.not_found"
handler500 = "apps.core.views.server_error"
