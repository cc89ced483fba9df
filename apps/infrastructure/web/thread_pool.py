"""Django with kept threads: each request is lent one, where Django would make and join its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler

from apps.infrastructure.web.asgi import Receive, Scope, Send

MAX_IDLE_THREADS = 16


class ThreadPoolASGIHandler(ASGIHandler):
    """A request's synchronous code runs in one thread, as ever, and no other request's in it.

    A task that outlives its request must not inherit the request's context.
    """

    def __init__(self) -> None:
        super().__init__()
        self._free: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        lent = self._free.pop() if self._free else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=lent):
                await self.handle(scope, receive, send)
        finally:
            if len(self._free) < MAX_IDLE_THREADS:
                self._free.append(lent)
            else:
                lent.shutdown(wait=False)
