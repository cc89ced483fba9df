"""Have clients open their next connection to another process while this one stops."""

from collections.abc import Awaitable, Mapping
from typing import Any

from apps.infrastructure.process import process
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send


def close_connections_when_stopping(application: Application) -> Application:
    """Send `Connection: close` with the responses to requests that come while stopping."""

    def respond(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return application(scope, receive, _closing(send) if process.is_stopping else send)

    return respond


def _closing(send: Send) -> Send:
    async def send_and_close(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    return send_and_close
