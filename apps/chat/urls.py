from django.urls import path

from apps.chat.http.views import ChatView, TurnStopView, TurnStreamView
from apps.chat.openai.endpoint import CompletionsView, ModelsView, ModelView

urlpatterns = [
    path("chatbots/<str:chatbot_id>/chat", ChatView.as_view(), name="chat"),
    path("chatbots/<str:chatbot_id>/turns/<str:turn_id>/stream", TurnStreamView.as_view()),
    path("chatbots/<str:chatbot_id>/turns/<str:turn_id>/stop", TurnStopView.as_view()),
    path("openai/chat/completions", CompletionsView.as_view()),
    path("openai/models", ModelsView.as_view()),
    path("openai/models/<str:chatbot_id>", ModelView.as_view()),
]
