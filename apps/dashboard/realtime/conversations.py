"""What is said in a conversation, told while it is said.

A new turn brings its user's message, so one look at when turns last opened, for all conversations
that this process watches, tells where to look further. The turn itself is followed as any
follower does, from the log of this process or from a mirror of another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.chat.engine import start as engine
from apps.chat.engine.event_payloads import dump_json
from apps.chat.engine.events import TurnFailed
from apps.chat.websocket.base_consumer import FrameContext, SocketConsumer
from apps.conversations.models import Conversation, Message, Role, Turn
from apps.conversations.queries import (
    fetch_last_message_times,
    find_message,
    find_running_turn,
    get_conversation,
    messages_since,
    newest_message,
)
from apps.core.errors import ServiceUnavailable, ValidationFailed
from apps.infrastructure.concurrency.polling import Poller
from apps.infrastructure.postgres.threads import in_thread

MESSAGES_BATCH_SIZE = 50
"""Messages that are fetched at a time."""
RETRY_SECONDS = 1.0
"""How long a turn that cannot be followed is left alone before the next try."""

activity_poller: Poller[tuple[str, str], datetime] = Poller(
    fetch_last_message_times, interval_seconds=0.5
)
"""Tells when a turn last opened in a conversation, named by its workspace and its id."""


def get_watched_conversation(
    workspace_id: str, conversation_id: str, *, after: str | None
) -> tuple[Conversation, Message | None]:
    """The workspace's conversation, and the message after which to tell it: the newest, if none
    is named. Raises ConversationNotFound, or ValidationFailed for a message of another one."""
    conversation = get_conversation(workspace_id, conversation_id)
    if after is None:
        return conversation, newest_message(conversation)
    seen = find_message(conversation, after)
    if seen is None:
        raise ValidationFailed({"after": ["This is not a message of this conversation."]})
    return conversation, seen


async def stream_conversation(
    consumer: SocketConsumer, conversation: Conversation, seen: Message | None, about: FrameContext
) -> None:
    """Tell the messages after `seen`, each turn as it runs, and whatever comes. Has no end."""
    place = (conversation.workspace_id, conversation.id)
    changed = asyncio.Event()

    def tell(_moment: datetime | None) -> None:
        changed.set()

    activity_poller.subscribe(place, tell)
    try:
        told: str | None = None
        while True:
            changed.clear()
            running, messages = await in_thread(fetch_updates, conversation, seen)
            for message in messages:
                seen = message
                if message.role == Role.USER:
                    await consumer.socket.send(dump_json(message_created_frame(message, about)))
                if message.turn_id != told:
                    told = message.turn_id
                    await stream_turn(consumer, message.turn, about)
            if not messages:
                # Its message has been seen already.
                if running and running.id != told:
                    told = running.id
                    await stream_turn(consumer, running, about)
                else:
                    await changed.wait()
    finally:
        activity_poller.unsubscribe(place, tell)


def fetch_updates(
    conversation: Conversation, seen: Message | None
) -> tuple[Turn | None, list[Message]]:
    """The conversation's running turn and its next messages after one. A turn and its user's
    message are committed together; the turn is looked for first, so that one which opens in
    between has its message here, and never is here without it."""
    running = find_running_turn(conversation)
    return running, messages_since(conversation, seen, limit=MESSAGES_BATCH_SIZE)


def message_created_frame(message: Message, about: Mapping[str, Any]) -> dict[str, Any]:
    """A user's message as the client gets it. The metadata is the caller's and stays away."""
    shown = {
        "id": message.id,
        "role": message.role,
        "text": message.text,
        "createdAt": message.created_at.isoformat().replace("+00:00", "Z"),
    }
    return {"type": "message.created", **about, "turnId": message.turn_id, "message": shown}


async def stream_turn(consumer: SocketConsumer, turn: Turn, about: FrameContext) -> None:
    """Tell a turn to its end. One that another process runs waits until Redis is back."""
    about = {**about, "turnId": turn.id}
    number = 0
    while True:
        try:
            log = await engine.follow_turn(turn)
        except ServiceUnavailable:
            log = None
        if log is not None:
            number = await consumer.send_events(log, about, number)
            last = log.events[number - 1]
            # A mirror that was given up ends like this; no turn does.
            if not (isinstance(last, TurnFailed) and type(last.error) is ServiceUnavailable):
                return
            number -= 1
        await asyncio.sleep(RETRY_SECONDS)
        await in_thread(turn.refresh_from_db)
