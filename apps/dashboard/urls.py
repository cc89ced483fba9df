"""The pages of a workspace, below /w/{slug}/."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.views import chatbots, overview

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live", overview.live, name="live"),
    path("chatbots", chatbots.chatbots, name="chatbots"),
    path("chatbots/<str:chatbot_id>", chatbots.chatbot, name="chatbot"),
]
