"""WebSocket URLs."""

import json

from django.urls import path, re_path

from apps.chat.websocket.consumer import ChatConsumer
from apps.core.errors import NotFound
from apps.core.ids import is_id
from apps.infrastructure.web.asgi import Receive, Scope, Send, send_response


async def reject_handshake(scope: Scope, receive: Receive, send: Send) -> None:
    """Reject a handshake at an unknown URL with a 404 that names the address of chat."""
    await receive()
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    ids = [word for word in scope["path"].split("/") if is_id(word)]
    address = f"/ws/v1/chatbots/{ids[0] if ids else '{chatbotId}'}/chat"
    error = NotFound(f"{NotFound.message} Did you mean {address}?")
    body = json.dumps(error.body()).encode()
    await send_response(scope, send, error.status, body, "application/json")


websocket_urlpatterns = [
    path("ws/v1/chatbots/<str:chatbot_id>/chat", ChatConsumer.as_asgi()),
    re_path("", reject_handshake),  # type: ignore[arg-type]
]
