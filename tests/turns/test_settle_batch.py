"""Turns that are settled concurrently, by one SQL statement, and by several processes."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Turn, TurnStatus
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.heartbeat import Progress, save_progress
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Receipt, Settlement
from tests.factories import grant_credits, make_team
from tests.turns.concurrent_calls import outcomes
from tests.turns.conftest import make_priced_chatbot
from tests.turns.turn_factory import expire_heartbeat, new_turn


@pytest.mark.parametrize(
    ("invalid", "error"),
    [
        ({"text": "NUL \x00"}, "UntranslatableCharacter"),
        ({"input_tokens": 6_824_241_167}, "NumericValueOutOfRange"),
        ({"delta_lengths": [object()]}, "TypeError"),
    ],
)
async def test_invalid_settlement_fails_alone_in_its_batch(
    funded_chatbot: Chatbot, invalid: dict[str, Any], error: str
) -> None:
    turns = [(await open_turn(new_turn(funded_chatbot, credits=2)))[0] for _ in range(3)]
    valid: dict[str, Any] = {"status": TurnStatus.COMPLETED, "text": "Hi"}
    settlements = [Settlement(**valid), Settlement(**valid | invalid), Settlement(**valid)]
    pairs = zip(turns, settlements, strict=True)
    assert await outcomes(*(settle_turn(turn=t, settlement=s) for t, s in pairs)) == [
        "done",
        error,
        "done",
    ]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(8, 2)


async def test_turn_of_another_workspace_is_not_settled(funded_chatbot: Chatbot) -> None:
    turn, _ = await open_turn(new_turn(funded_chatbot, credits=2))
    team = await in_thread(make_team)
    turn.workspace_id = team.other_workspace.id
    call = settle_turn(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
    assert await outcomes(call) == ["TurnNotRunning"]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 2)


async def test_receipts_of_one_batch_have_successive_balances(funded_chatbot: Chatbot) -> None:
    turns = [(await open_turn(new_turn(funded_chatbot, credits=2)))[0] for _ in range(3)]
    statuses = [TurnStatus.COMPLETED, TurnStatus.FAILED, TurnStatus.COMPLETED]
    receipts = await asyncio.gather(
        *(
            settle_turn(turn=turn, settlement=Settlement(status, "Hi"))
            for turn, status in zip(turns, statuses, strict=True)
        )
    )
    assert receipts == [Receipt(1, 9), Receipt(0, 9), Receipt(1, 8)]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(8, 0)
    assert await in_thread(ledger_sum, funded_chatbot.workspace_id) == 8


def test_concurrent_processes_and_sweep_never_deadlock(committed: None) -> None:
    """Two event loops, as two web processes, and a sweep lock the same accounts in any order."""
    chatbots = [make_priced_chatbot() for _ in range(4)]
    for chatbot in chatbots:
        grant_credits(chatbot.workspace, 10_000)

    async def run_process(seed: int) -> None:
        rng = random.Random(seed)

        async def run_caller() -> None:
            for _ in range(6):
                turn, _ = await open_turn(new_turn(rng.choice(chatbots), credits=2))
                if rng.random() < 0.3:
                    await in_thread(save_progress, {turn.id: Progress(["So", " far"])})
                    await in_thread(expire_heartbeat, turn)
                try:
                    await settle_turn(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
                except TurnNotRunning:
                    swept.append(turn.id)

        await asyncio.gather(*(run_caller() for _ in range(12)))
        await close_pool()

    def run_sweeps() -> None:
        try:
            while not all(one.done() for one in processes):
                sweep_turns()
        finally:
            connections.close_all()

    swept: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        processes = [pool.submit(asyncio.run, run_process(seed)) for seed in range(2)]
        sweeps = pool.submit(run_sweeps)
        for each in (*processes, sweeps):
            each.result(timeout=60)
    workspaces = [chatbot.workspace_id for chatbot in chatbots]
    ended = Turn.objects.filter(workspace__in=workspaces)
    assert ended.count() == 144
    assert ended.filter(status="completed").count() == 144 - len(swept)
    assert [balance_for(one) for one in workspaces] == [
        Balance(ledger_sum(one), 0) for one in workspaces
    ]
    # The swept ones have saved text, which is charged, too.
    assert 40_000 - sum(ledger_sum(one) for one in workspaces) == 144
