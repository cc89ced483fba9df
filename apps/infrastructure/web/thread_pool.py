"""An ASGI handler for Django that reuses threads, instead of one new thread per request."""

from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler

from apps.infrastructure.web.asgi import Receive, Scope, Send

MAX_IDLE_THREADS = 16


class ThreadPoolASGIHandler(ASGIHandler):
    """Runs all synchronous code of a request in one thread that no other request uses meanwhile.

    A task that outlives its request must not inherit the request's context.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < MAX_IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)
