"""The WebSocket of a workspace's members: who listens, to what, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from django.conf import settings

from apps.chat.engine.event_payloads import dump_json
from apps.chat.websocket.base_consumer import FrameContext, SocketConsumer
from apps.chat.websocket.connection import CloseReason, SocketClosed
from apps.chat.websocket.handshake import Handshake
from apps.core.errors import ApiError
from apps.dashboard.errors import NotSignedIn, TooManyConversations, WorkspaceNotFound
from apps.dashboard.realtime.access import Seat, Standing, role_at, seat_for, seat_watch
from apps.dashboard.realtime.commands import (
    Command,
    UnwatchConversation,
    WatchConversation,
    WatchCounters,
    command_in,
)
from apps.dashboard.realtime.conversations import conversation_to_watch, listen
from apps.dashboard.realtime.counters import tell_counters
from apps.infrastructure.postgres.threads import in_thread
from apps.workspaces.models import Role

MOST_CONVERSATIONS = 20

Step = Callable[[], Coroutine[Any, Any, None]]

_COUNTERS = ""
"""The name under which counters are watched: no conversation has it."""


class LiveConsumer(SocketConsumer):
    """One socket of one member of one workspace."""

    seat: Seat
    role: Role | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watched: dict[str, asyncio.Task[None]] = {}

    # Who listens

    @property
    def workspace_id(self) -> str:
        """The workspace of the address."""
        return str(self.scope["url_route"]["kwargs"]["workspace_id"])

    async def admit(self, shown: Handshake) -> None:
        """Let a signed-in member in, from a page of ours: a browser adds cookies unasked."""
        shown.require_own_origin()
        self.seat, self.role = await in_thread(seat_for, shown.cookies, self.workspace_id)
        structlog.contextvars.bind_contextvars(workspace_id=self.workspace_id)
        seat_watch.subscribe(self.seat, self.seat_looked_at)
        self.tell_role()
        self.keep(self.beat_for_ever, {})

    def left(self) -> None:
        if self.role:
            seat_watch.unsubscribe(self.seat, self.seat_looked_at)

    def seat_looked_at(self, standing: Standing | None) -> None:
        """Tell a member of its new role; close the socket of one who is none any more."""
        if isinstance(standing, Role):
            if standing != self.role:
                self.role = standing
                self.tell_role()
        elif standing and (ending := self.ending_after(standing())):
            self.socket.request_close(ending)

    def ending_after(self, error: ApiError) -> CloseReason | None:
        match error:
            case NotSignedIn():
                return CloseReason(4401, "Signed out")
            case WorkspaceNotFound():
                return CloseReason(4403, "No longer a member")
        return None

    def tell_role(self) -> None:
        """Say what the member is in the workspace."""
        said = dump_json({"type": "member", "role": self.role})
        self.keep(partial(self.socket.send, said), {})

    # What is asked for

    def command_in(self, words: dict[str, Any]) -> Command:
        return command_in(words)

    async def answer(self, command: Command, about: FrameContext) -> None:
        await in_thread(role_at, self.seat)
        match command:
            case WatchConversation():
                await self.watch_conversation(command, about)
            case UnwatchConversation(conversation_id):
                self.unwatch(conversation_id)
                about["conversationId"] = conversation_id
                await self.socket.send(dump_json({"type": "conversation.unwatched", **about}))
            case WatchCounters():
                step = partial(tell_counters, self.socket, self.workspace_id, about)
                self.watch(_COUNTERS, step, about)

    async def watch_conversation(self, command: WatchConversation, about: FrameContext) -> None:
        """Watch a conversation, or go on from another place in one that is watched."""
        about["conversationId"] = command.conversation_id
        conversation, seen = await in_thread(
            conversation_to_watch, self.workspace_id, command.conversation_id, after=command.after
        )
        others = self.watched.keys() - {_COUNTERS, conversation.id}
        if len(others) >= MOST_CONVERSATIONS:
            raise TooManyConversations
        self.unwatch(conversation.id)
        await self.socket.send(dump_json({"type": "conversation.watched", **about}))
        about.pop("xRequestId")
        self.watch(conversation.id, partial(listen, self, conversation, seen, about), about)

    def watch(self, name: str, step: Step, about: FrameContext) -> None:
        """Tell something for as long as it is watched, under a name."""
        self.unwatch(name)
        self.watched[name] = self.keep(step, about)

    def unwatch(self, name: str) -> None:
        """Tell no more of what is watched under this name."""
        if task := self.watched.pop(name, None):
            task.cancel()

    # What is kept going

    def keep(self, step: Step, about: FrameContext) -> asyncio.Task[None]:
        """Do something for as long as the socket is open; tell of an error that ends it."""

        async def safely() -> None:
            try:
                await step()
            except SocketClosed:
                return
            except Exception as exception:
                await self.send_error(exception, about)

        return self.socket.start_lasting_task(safely())

    async def beat_for_ever(self) -> None:
        """Send a heartbeat whenever nothing else was said for a while."""
        while True:
            await asyncio.sleep(settings.STREAM_HEARTBEAT_SECONDS)
            await self.send_heartbeat(settings.STREAM_HEARTBEAT_SECONDS)
