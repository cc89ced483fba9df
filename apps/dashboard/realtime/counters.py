"""A workspace's live counters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.chat.engine.event_payloads import dump_json
from apps.chat.websocket.connection import SocketConnection
from apps.conversations.queries import count_running_turns, count_turns_since
from apps.credits.queries import Balance, balances_for
from apps.infrastructure.concurrency.polling import Poller
from apps.infrastructure.postgres.threads import in_thread

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a workspace is doing now, and what it has left."""

    running_turns: int
    turns_last_minute: int
    credits: Balance

    def as_frame(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """The counters as the client gets them."""
        return {
            "type": "counters",
            **about,
            "runningTurns": self.running_turns,
            "turnsLastMinute": self.turns_last_minute,
            "credits": {"balance": self.credits.balance, "held": self.credits.held},
        }


def fetch_counters(workspace_ids: Collection[str]) -> Mapping[str, Counters]:
    """The counters of each of these workspaces: three statements, however many."""
    running = count_running_turns(workspace_ids)
    lately = count_turns_since(workspace_ids, timezone.now() - MINUTE)
    credits = balances_for(workspace_ids)
    return {
        id: Counters(running.get(id, 0), lately.get(id, 0), credits.get(id, Balance(0, 0)))
        for id in workspace_ids
    }


async def stream_counters(
    socket: SocketConnection, workspace_id: str, about: Mapping[str, Any]
) -> None:
    """Tell a workspace's counters now, and whenever they have changed. Has no end."""
    said: Counters | None = None
    newest = (await in_thread(fetch_counters, [workspace_id]))[workspace_id]
    changed = asyncio.Event()

    def tell(counters: Counters | None) -> None:
        nonlocal newest
        newest = counters or newest
        changed.set()

    counters_poller.subscribe(workspace_id, tell)
    try:
        while True:
            if newest != said:
                said = newest
                await socket.send(dump_json(said.as_frame(about)))
                about = {name: value for name, value in about.items() if name != "xRequestId"}
            await changed.wait()
            changed.clear()
    finally:
        counters_poller.unsubscribe(workspace_id, tell)


counters_poller: Poller[str, Counters] = Poller(fetch_counters, interval_seconds=1.0)
"""Tells a workspace's counters, at most once a second."""
