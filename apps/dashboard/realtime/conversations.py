"""Send a conversation's messages and turns while they are written.

One query per interval reads when turns last opened, for all conversations that are watched in this
process; every new turn brings a user message. A turn is then followed as by any other client, from
this process's log or from a copy of another's.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.chat.engine import start as engine
from apps.chat.engine.events import TurnInterrupted
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
from apps.core.json_text import dump_json
from apps.infrastructure.postgres.polling import Poller
from apps.infrastructure.postgres.threads import in_thread

MESSAGES_BATCH_SIZE = 50
RETRY_SECONDS = 1.0
"""Pause before a turn that cannot be followed is tried again."""

activity_poller: Poller[tuple[str, str], datetime] = Poller(
    fetch_last_message_times, interval_seconds=0.5
)
"""Polls when a turn last opened in a conversation. Keys are (workspace id, conversation id)."""


def get_watched_conversation(
    workspace_id: str, conversation_id: str, *, after: str | None
) -> tuple[Conversation, Message | None]:
    """The workspace's conversation, and the message after which to start: by default the newest.

    Raises ConversationNotFound, or ValidationFailed where `after` is in another conversation.
    """
    conversation = get_conversation(workspace_id, conversation_id)
    if after is None:
        return conversation, newest_message(conversation)
    message = find_message(conversation, after)
    if message is None:
        raise ValidationFailed({"after": ["This is not a message of this conversation."]})
    return conversation, message


async def stream_conversation(
    consumer: SocketConsumer,
    conversation: Conversation,
    last_seen: Message | None,
    context: FrameContext,
) -> None:
    """Send the messages after `last_seen` and each turn as it runs. Runs until cancelled."""
    key = (conversation.workspace_id, conversation.id)
    changed = asyncio.Event()

    def on_change(_last_message_at: datetime | None) -> None:
        changed.set()

    activity_poller.subscribe(key, on_change)
    try:
        streamed_turn_id: str | None = None
        while True:
            changed.clear()
            running, messages = await in_thread(fetch_updates, conversation, last_seen)
            for message in messages:
                last_seen = message
                if message.role == Role.USER:
                    await consumer.socket.send(dump_json(message_created_frame(message, context)))
                if message.turn_id != streamed_turn_id:
                    streamed_turn_id = message.turn_id
                    await stream_turn(consumer, message.turn, context)
            if not messages:
                # The running turn's user message may be the one in `last_seen`.
                if running and running.id != streamed_turn_id:
                    streamed_turn_id = running.id
                    await stream_turn(consumer, running, context)
                else:
                    await changed.wait()
    finally:
        activity_poller.unsubscribe(key, on_change)


def fetch_updates(
    conversation: Conversation, last_seen: Message | None
) -> tuple[Turn | None, list[Message]]:
    """The conversation's running turn, and the messages after `last_seen`.

    A turn and its user message are committed together. The turn is read first: one that opens in
    between is then found by its message, never without it.
    """
    running = find_running_turn(conversation)
    return running, messages_since(conversation, last_seen, limit=MESSAGES_BATCH_SIZE)


def message_created_frame(message: Message, context: Mapping[str, Any]) -> dict[str, Any]:
    """The frame for a user message. It leaves out the metadata, which is for the API's caller."""
    fields = {
        "id": message.id,
        "role": message.role,
        "text": message.text,
        "createdAt": message.created_at.isoformat().replace("+00:00", "Z"),
    }
    return {"type": "message.created", **context, "turnId": message.turn_id, "message": fields}


def _will_pass(interruption: TurnInterrupted | None) -> bool:
    """Whether it is an outage of what the turn is followed through."""
    return interruption is not None and type(interruption.error) is ServiceUnavailable


async def stream_turn(consumer: SocketConsumer, turn: Turn, context: FrameContext) -> None:
    """Send a turn's events to its end. While Redis is down, a turn of another process waits."""
    context = {**context, "turnId": turn.id}
    number = 0
    while True:
        try:
            log = await engine.follow_turn(turn)
        except ServiceUnavailable:
            log = None
        if log is not None:
            number = await consumer.send_events(log, context, number)
            if number >= len(log.events) and not _will_pass(log.interruption):
                return
        await asyncio.sleep(RETRY_SECONDS)
        await in_thread(turn.refresh_from_db)
