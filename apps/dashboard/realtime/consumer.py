"""The dashboard's WebSocket: authentication, commands and the tasks that send updates."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from django.conf import settings

from apps.chat.websocket.base_consumer import FrameContext, SocketConsumer
from apps.chat.websocket.connection import CloseReason, SocketClosed
from apps.chat.websocket.handshake import Handshake
from apps.core.errors import ApiError
from apps.core.json_text import dump_json
from apps.dashboard.errors import NotSignedIn, TooManyConversations, WorkspaceNotFound
from apps.dashboard.realtime import commands
from apps.dashboard.realtime.commands import (
    Command,
    UnwatchConversation,
    WatchConversation,
    WatchCounters,
)
from apps.dashboard.realtime.conversations import get_watched_conversation, stream_conversation
from apps.dashboard.realtime.counters import stream_counters
from apps.dashboard.realtime.sessions import (
    MemberSession,
    MembershipStatus,
    get_role,
    membership_poller,
    open_session,
)
from apps.infrastructure.postgres.threads import in_thread
from apps.workspaces.models import Role

MAX_WATCHED_CONVERSATIONS = 20

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]

_COUNTERS_KEY = ""
"""The key of the counters' task; those of conversations are their ids."""


class RealtimeConsumer(SocketConsumer):
    """One WebSocket of one member of a workspace."""

    session: MemberSession
    role: Role | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch_tasks: dict[str, asyncio.Task[None]] = {}

    # Membership

    @property
    def workspace_id(self) -> str:
        """The workspace id in the URL."""
        return str(self.scope["url_route"]["kwargs"]["workspace_id"])

    async def authenticate(self, handshake: Handshake) -> None:
        """Open the member's session. The origin must be ours, as browsers send cookies anyway."""
        handshake.require_own_origin()
        self.session, self.role = await in_thread(
            open_session, handshake.cookies, self.workspace_id
        )
        self.slot.identify(self.session.user_id)
        structlog.contextvars.bind_contextvars(workspace_id=self.workspace_id)
        membership_poller.subscribe(self.session, self.on_membership_status)
        self.send_role()
        self.run_in_background(self.send_heartbeats, {})

    def on_close(self) -> None:
        if self.role:
            membership_poller.unsubscribe(self.session, self.on_membership_status)

    def on_membership_status(self, status: MembershipStatus | None) -> None:
        """Send a changed role; close the socket when the session or the membership has ended."""
        if isinstance(status, Role):
            if status != self.role:
                self.role = status
                self.send_role()
        elif status and (reason := self.close_reason_after(status())):
            self.socket.request_close(reason)

    def close_reason_after(self, error: ApiError) -> CloseReason | None:
        match error:
            case NotSignedIn():
                return CloseReason(4401, "Signed out")
            case WorkspaceNotFound():
                return CloseReason(4403, "No longer a member")
        return None

    def send_role(self) -> None:
        frame = dump_json({"type": "member", "role": self.role})
        self.run_in_background(partial(self.socket.send, frame), {})

    # Commands

    def parse_command(self, payload: dict[str, Any]) -> Command:
        return commands.parse_command(payload)

    async def handle_command(self, command: Command, context: FrameContext) -> None:
        await in_thread(get_role, self.session)
        match command:
            case WatchConversation():
                await self.watch_conversation(command, context)
            case UnwatchConversation(conversation_id):
                self.unwatch(conversation_id)
                context["conversationId"] = conversation_id
                await self.socket.send(dump_json({"type": "conversation.unwatched", **context}))
            case WatchCounters():
                task = partial(stream_counters, self.socket, self.workspace_id, context)
                self.watch(_COUNTERS_KEY, task, context)

    async def watch_conversation(self, command: WatchConversation, context: FrameContext) -> None:
        """Start sending a conversation; a conversation that is watched already starts over."""
        context["conversationId"] = command.conversation_id
        conversation, last_seen = await in_thread(
            get_watched_conversation,
            self.workspace_id,
            command.conversation_id,
            after=command.after,
        )
        others = self.watch_tasks.keys() - {_COUNTERS_KEY, conversation.id}
        if len(others) >= MAX_WATCHED_CONVERSATIONS:
            raise TooManyConversations
        self.unwatch(conversation.id)
        await self.socket.send(dump_json({"type": "conversation.watched", **context}))
        context.pop("xRequestId")
        task = partial(stream_conversation, self, conversation, last_seen, context)
        self.watch(conversation.id, task, context)

    def watch(self, key: str, task: BackgroundTask, context: FrameContext) -> None:
        """Run the task in place of the one with the same key."""
        self.unwatch(key)
        self.watch_tasks[key] = self.run_in_background(task, context)

    def unwatch(self, key: str) -> None:
        """Cancel the task with this key, if there is one."""
        if task := self.watch_tasks.pop(key, None):
            task.cancel()

    # Background tasks

    def run_in_background(self, task: BackgroundTask, context: FrameContext) -> asyncio.Task[None]:
        """Run the task until it ends or the socket closes; send the error that it raises."""

        async def run() -> None:
            try:
                await task()
            except SocketClosed:
                return
            except Exception as exception:
                await self.send_error(exception, context)

        return self.socket.start_lasting_task(run())

    async def send_heartbeats(self) -> None:
        """Send a heartbeat whenever nothing else was sent for a while."""
        while True:
            await asyncio.sleep(settings.STREAM_HEARTBEAT_SECONDS)
            await self.send_heartbeat(settings.STREAM_HEARTBEAT_SECONDS)
