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
from apps.dashboard.realtime.access import (
    MemberSession,
    MembershipStatus,
    get_role,
    membership_poller,
    open_session,
)
from apps.dashboard.realtime.commands import (
    Command,
    UnwatchConversation,
    WatchConversation,
    WatchCounters,
    parse_command,
)
from apps.dashboard.realtime.conversations import get_watched_conversation, stream_conversation
from apps.dashboard.realtime.counters import stream_counters
from apps.infrastructure.postgres.threads import in_thread
from apps.workspaces.models import Role

MAX_WATCHED_CONVERSATIONS = 20

Step = Callable[[], Coroutine[Any, Any, None]]

_COUNTERS = ""
"""The name under which counters are watched: no conversation has it."""


class RealtimeConsumer(SocketConsumer):
    """One socket of one member of one workspace."""

    session: MemberSession
    role: Role | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch_tasks: dict[str, asyncio.Task[None]] = {}

    # Who listens

    @property
    def workspace_id(self) -> str:
        """The workspace of the address."""
        return str(self.scope["url_route"]["kwargs"]["workspace_id"])

    async def admit(self, shown: Handshake) -> None:
        """Let a signed-in member in, from a page of ours: a browser adds cookies unasked."""
        shown.require_own_origin()
        self.session, self.role = await in_thread(open_session, shown.cookies, self.workspace_id)
        structlog.contextvars.bind_contextvars(workspace_id=self.workspace_id)
        membership_poller.subscribe(self.session, self.on_membership_status)
        self.send_role()
        self.run_in_background(self.send_heartbeats, {})

    def left(self) -> None:
        if self.role:
            membership_poller.unsubscribe(self.session, self.on_membership_status)

    def on_membership_status(self, standing: MembershipStatus | None) -> None:
        """Tell a member of its new role; close the socket of one who is none any more."""
        if isinstance(standing, Role):
            if standing != self.role:
                self.role = standing
                self.send_role()
        elif standing and (ending := self.ending_after(standing())):
            self.socket.request_close(ending)

    def ending_after(self, error: ApiError) -> CloseReason | None:
        match error:
            case NotSignedIn():
                return CloseReason(4401, "Signed out")
            case WorkspaceNotFound():
                return CloseReason(4403, "No longer a member")
        return None

    def send_role(self) -> None:
        """Say what the member is in the workspace."""
        said = dump_json({"type": "member", "role": self.role})
        self.run_in_background(partial(self.socket.send, said), {})

    # What is asked for

    def command_in(self, words: dict[str, Any]) -> Command:
        return parse_command(words)

    async def answer(self, command: Command, about: FrameContext) -> None:
        await in_thread(get_role, self.session)
        match command:
            case WatchConversation():
                await self.watch_conversation(command, about)
            case UnwatchConversation(conversation_id):
                self.unwatch(conversation_id)
                about["conversationId"] = conversation_id
                await self.socket.send(dump_json({"type": "conversation.unwatched", **about}))
            case WatchCounters():
                step = partial(stream_counters, self.socket, self.workspace_id, about)
                self.watch(_COUNTERS, step, about)

    async def watch_conversation(self, command: WatchConversation, about: FrameContext) -> None:
        """Watch a conversation, or go on from another place in one that is watched."""
        about["conversationId"] = command.conversation_id
        conversation, seen = await in_thread(
            get_watched_conversation,
            self.workspace_id,
            command.conversation_id,
            after=command.after,
        )
        others = self.watch_tasks.keys() - {_COUNTERS, conversation.id}
        if len(others) >= MAX_WATCHED_CONVERSATIONS:
            raise TooManyConversations
        self.unwatch(conversation.id)
        await self.socket.send(dump_json({"type": "conversation.watched", **about}))
        about.pop("xRequestId")
        self.watch(
            conversation.id, partial(stream_conversation, self, conversation, seen, about), about
        )

    def watch(self, name: str, step: Step, about: FrameContext) -> None:
        """Tell something for as long as it is watched, under a name."""
        self.unwatch(name)
        self.watch_tasks[name] = self.run_in_background(step, about)

    def unwatch(self, name: str) -> None:
        """Tell no more of what is watched under this name."""
        if task := self.watch_tasks.pop(name, None):
            task.cancel()

    # What is kept going

    def run_in_background(self, step: Step, about: FrameContext) -> asyncio.Task[None]:
        """Do something for as long as the socket is open; tell of an error that ends it."""

        async def safely() -> None:
            try:
                await step()
            except SocketClosed:
                return
            except Exception as exception:
                await self.send_error(exception, about)

        return self.socket.start_lasting_task(safely())

    async def send_heartbeats(self) -> None:
        """Send a heartbeat whenever nothing else was said for a while."""
        while True:
            await asyncio.sleep(settings.STREAM_HEARTBEAT_SECONDS)
            await self.send_heartbeat(settings.STREAM_HEARTBEAT_SECONDS)
