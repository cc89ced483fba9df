"""Send concurrent requests, and read what they have saved in the database."""

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
    """Send the same request from all callers concurrently, each on its own connection."""

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(verify=SSL_CONTEXT, limits=limits, timeout=60) as client:
            body = {"message": message, **fields}
            return await asyncio.gather(
                *(client.post(each.url, json=body, headers=each.all_headers) for each in callers)
            )

    return asyncio.run(send())


def credit_state(workspace: Workspace) -> tuple[int, int, list[int]]:
    """Balance, held credits and charges. The ledger must add up to the balance."""
    account = balance_for(workspace.id)
    assert account.balance == ledger_sum(workspace.id)
    charges = LedgerEntry.objects.filter(workspace=workspace, kind="charge")
    return account.balance, account.held, list(charges.values_list("amount", flat=True))


def turn_statuses(workspace: Workspace) -> list[str]:
    """The statuses of the workspace's turns, oldest first."""
    found = Turn.objects.filter(workspace=workspace).order_by("created_at")
    return list(found.values_list("status", flat=True))


def message_texts(workspace: Workspace) -> list[str]:
    """The texts of the workspace's messages, oldest first."""
    found = Message.objects.filter(workspace=workspace).order_by("created_at")
    return list(found.values_list("text", flat=True))


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until the condition is true. Fails after this many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.05)
