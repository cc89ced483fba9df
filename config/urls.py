"""Every address."""

from django.contrib import admin
from django.urls import include, path

from apps.core import views as core
from apps.dashboard import views as dashboard
from config.api import api

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("healthz", core.healthz),
    path("readyz", core.readyz),
    path("", include("apps.accounts.urls")),
    path("", include("apps.dashboard.entrance.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.chat.urls")),
    path("api/v1/", api.urls),
]

handler400 = "apps.core.views.bad_request"
handler404 = "apps.core.views.not_found"
handler500 = "apps.core.views.server_error"
