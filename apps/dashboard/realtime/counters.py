"""Send a workspace's counters: running turns, turns of the last minute, credits."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.chat.websocket.connection import SocketConnection
from apps.conversations.queries import count_running_turns, count_turns_since
from apps.core.json_text import dump_json
from apps.credits.queries import Balance, balances_for
from apps.infrastructure.postgres.polling import Poller
from apps.infrastructure.postgres.threads import in_thread

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counters:
    """A workspace's current activity and credits."""

    running_turns: int
    turns_last_minute: int
    credits: Balance

    def as_frame(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """The frame that is sent to the client."""
        return {
            "type": "counters",
            **context,
            "runningTurns": self.running_turns,
            "turnsLastMinute": self.turns_last_minute,
            "credits": {"balance": self.credits.balance, "held": self.credits.held},
        }


def fetch_counters(workspace_ids: Collection[str]) -> Mapping[str, Counters]:
    """The counters of each workspace, in three queries."""
    running = count_running_turns(workspace_ids)
    recent = count_turns_since(workspace_ids, timezone.now() - MINUTE)
    credits = balances_for(workspace_ids)
    return {
        id: Counters(running.get(id, 0), recent.get(id, 0), credits.get(id, Balance(0, 0)))
        for id in workspace_ids
    }


async def stream_counters(
    socket: SocketConnection, workspace_id: str, context: Mapping[str, Any]
) -> None:
    """Send a workspace's counters now and whenever they change. Runs until cancelled."""
    sent: Counters | None = None
    current = (await in_thread(fetch_counters, [workspace_id]))[workspace_id]
    changed = asyncio.Event()

    def on_change(counters: Counters | None) -> None:
        nonlocal current
        current = counters or current
        changed.set()

    counters_poller.subscribe(workspace_id, on_change)
    try:
        while True:
            if current != sent:
                sent = current
                await socket.send(dump_json(sent.as_frame(context)))
                context = {name: value for name, value in context.items() if name != "xRequestId"}
            await changed.wait()
            changed.clear()
    finally:
        counters_poller.unsubscribe(workspace_id, on_change)


counters_poller: Poller[str, Counters] = Poller(fetch_counters, interval_seconds=1.0)
