"""WebSocket URLs."""

from django.urls import path, re_path

from apps.chat.websocket.consumer import ChatConsumer
from apps.infrastructure.web.asgi import Receive, Scope, Send


async def reject_handshake(scope: Scope, receive: Receive, send: Send) -> None:
    """Reject a handshake at an unknown URL."""
    await receive()
    await send({"type": "websocket.close"})


websocket_urlpatterns = [
    path("ws/v1/chatbots/<str:chatbot_id>/chat", ChatConsumer.as_asgi()),
    re_path("", reject_handshake),  # type: ignore[arg-type]
]
