"""The address of the dashboard's ear."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.realtime.consumer import LiveConsumer

live_urlpatterns = [path("ws/v1/workspaces/<str:workspace_id>/live", LiveConsumer.as_asgi())]
