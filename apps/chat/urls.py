from django.urls import path

from apps.chat.views import ChatView

urlpatterns = [path("chatbots/<str:chatbot_id>/chat", ChatView.as_view(), name="chat")]
