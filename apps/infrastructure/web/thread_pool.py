"""An ASGI handler for Django that reuses threads, instead of one new thread per request."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

from apps.core.errors import ServiceUnavailable
from apps.infrastructure.concurrency.fair_slots import FairSlots, SlotRefused
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.web.asgi import Receive, Scope, Send, send_error
from apps.infrastructure.web.client_address import scope_client
from apps.infrastructure.web.spooled_body import SpooledBody

MAX_IDLE_THREADS = 16


def _new_slots() -> FairSlots:
    return FairSlots(
        settings.REQUEST_THREADS,
        per_client=settings.REQUEST_THREADS_PER_CLIENT,
        max_waiting=settings.MAX_WAITING_REQUESTS_PER_CLIENT,
        wait_seconds=settings.REQUEST_WAIT_SECONDS,
    )


_slots = PerLoop(_new_slots)
"""Shared by all handlers of a process, as their requests share its database connections."""


class ThreadPoolASGIHandler(ASGIHandler):
    """Runs all synchronous code of a request in one thread that no other request uses meanwhile.

    Requests wait for a thread in turn by client, and get 503 if that takes too long. A task that
    outlives its request must not inherit the request's context.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        slots, client = _slots.get(), scope_client(scope)
        try:
            await slots.acquire(client)
        except SlotRefused:
            await send_error(scope, send, ServiceUnavailable())
            return
        has_slot = True

        async def send_and_release(message: Mapping[str, Any]) -> None:
            # A stream holds no slot: its work was done before, or is not done in the thread.
            nonlocal has_slot
            if has_slot:
                has_slot = False
                slots.release(client)
            await send(message)

        try:
            await self._handle_in_thread(scope, receive, send_and_release)
        finally:
            if has_slot:
                slots.release(client)

    async def read_body(self, receive: Receive) -> Any:
        """Return the body as a file."""
        if isinstance(receive, SpooledBody):
            return receive.take_file()
        return await super().read_body(receive)

    async def _handle_in_thread(self, scope: Scope, receive: Receive, send: Send) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < MAX_IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)
