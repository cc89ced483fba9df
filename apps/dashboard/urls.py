"""The pages of a workspace, below /w/{slug}/."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.views import chatbots, conversations, credits, overview

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live", overview.live, name="live"),
    path("chatbots", chatbots.chatbots, name="chatbots"),
    path("chatbots/<str:chatbot_id>", chatbots.chatbot, name="chatbot"),
    path("conversations", conversations.conversations, name="conversations"),
    path("conversations/<str:conversation_id>", conversations.conversation, name="conversation"),
    path(
        "conversations/<str:conversation_id>/turns/<str:turn_id>",
        conversations.turn,
        name="turn",
    ),
    path("credits", credits.credits, name="credits"),
    path("credits/statement.csv", credits.statement, name="statement"),
]
