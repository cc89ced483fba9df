"""URL pattern of the dashboard's WebSocket."""

from django.urls import path

from apps.dashboard.realtime.consumer import RealtimeConsumer

realtime_urlpatterns = [
    path("ws/v1/workspaces/<str:workspace_id>/live", RealtimeConsumer.as_asgi())
]
