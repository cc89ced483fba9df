from django.urls import path

from apps.chat.views import ChatView, TurnStopView, TurnStreamView

urlpatterns = [
    path("chatbots/<str:chatbot_id>/chat", ChatView.as_view(), name="chat"),
    path("chatbots/<str:chatbot_id>/turns/<str:turn_id>/stream", TurnStreamView.as_view()),
    path("chatbots/<str:chatbot_id>/turns/<str:turn_id>/stop", TurnStopView.as_view()),
]
