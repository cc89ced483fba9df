"""Many callers at once, and a look at what they left in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from apps.conversations.models import Message, Turn
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.workspaces.models import Workspace
from tests.web_processes import SSL_CONTEXT, Caller


def post_concurrently(
    callers: Sequence[Caller], message: str = "Hello", **fields: Any
) -> list[httpx.Response]:
    """The same request from all these callers at once, each on a connection of its own."""

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(verify=SSL_CONTEXT, limits=limits, timeout=60) as client:
            body = {"message": message, **fields}
            return await asyncio.gather(
                *(client.post(each.url, json=body, headers=each.all_headers) for each in callers)
            )

    return asyncio.run(send())


def credit_state(workspace: Workspace) -> tuple[int, int, list[int]]:
    """Balance, held, and the charges; the ledger must add up to the balance."""
    credits = balance_for(workspace.id)
    assert credits.balance == ledger_sum(workspace.id)
    charges = LedgerEntry.objects.filter(workspace=workspace, kind="charge")
    return credits.balance, credits.held, list(charges.values_list("amount", flat=True))


def turn_statuses(workspace: Workspace) -> list[str]:
    """The statuses of the workspace's turns, oldest first."""
    found = Turn.objects.filter(workspace=workspace).order_by("created_at")
    return list(found.values_list("status", flat=True))


def message_texts(workspace: Workspace) -> list[str]:
    """The texts of the workspace's messages, oldest first."""
    found = Message.objects.filter(workspace=workspace).order_by("created_at")
    return list(found.values_list("text", flat=True))


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true; fail if it does not."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
