"""Chats at the edge of a balance, over two web processes, with top-ups between.

BALANCE_RACES: how many chats, 200 by default. With `-s` it prints their figures.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence

import httpx
from django.db.models import Sum

from apps.conversations.models import Turn
from apps.credits.ledger_chain import verify_chain
from apps.credits.queries import balance_for
from apps.infrastructure.postgres.threads import in_thread
from apps.workspaces.models import Workspace
from tests.e2e.database_state import credit_state
from tests.factories import Team, grant_credits, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

CHATS = int(os.environ.get("BALANCE_RACES", "200"))
CHATS_AT_ONCE = 24
HOLD = 149
"""Credits that each chat holds. Its answer costs a few of them."""


def top_up(workspace: Workspace) -> None:
    """Raise the balance to about two holds, sometimes less and sometimes more."""
    missing = 2 * HOLD + random.randint(-20, 20) - balance_for(workspace.id).balance
    if missing > 0:
        grant_credits(workspace, missing)


async def race(workspace: Workspace, callers: Sequence[Caller]) -> Counter[int]:
    """Send CHATS chats, CHATS_AT_ONCE at a time, and a top-up beside each of these rounds."""
    statuses: Counter[int] = Counter()
    async with httpx.AsyncClient(verify=SSL_CONTEXT, timeout=60) as client:
        for _ in range(-(-CHATS // CHATS_AT_ONCE)):
            chats = [
                client.post(each.url, json={"message": "Hello"}, headers=each.all_headers)
                for each in callers
            ]
            responses, _ = await asyncio.gather(
                asyncio.gather(*chats), in_thread(top_up, workspace)
            )
            statuses.update(response.status_code for response in responses)
    return statuses


def test_chats_at_the_edge_of_a_balance(
    web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    workspace = live_team.workspace
    model = make_language_model(credits_per_reply=0, credits_per_1k_output=1000)
    limits = {"rate_limit_requests": 10_000, "rate_limit_window_seconds": 1}
    caller = make_caller(
        web_pair[0], workspace, model, credits=2 * HOLD, max_reply_tokens=HOLD, **limits
    )
    started = time.monotonic()
    callers = [caller.at(web_pair[number % 2]) for number in range(CHATS_AT_ONCE)]
    statuses = asyncio.run(race(workspace, callers))
    print(f"{dict(statuses)} in {time.monotonic() - started:.0f} s")
    assert statuses.keys() <= {200, 402}
    _, held, charges = credit_state(workspace)
    assert held == 0
    turns = Turn.objects.filter(workspace=workspace, status="completed")
    charged = turns.aggregate(sum=Sum("credits_charged"))["sum"]
    assert (len(charges), -sum(charges)) == (statuses[200], charged)
    assert turns.count() == Turn.objects.filter(workspace=workspace).count() == statuses[200]
    assert verify_chain(workspace.id)[1] is None
