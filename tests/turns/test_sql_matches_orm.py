"""The SQL statements that open and settle turns in batches do the same as the ORM calls.

The same random scenario runs through the statements in one workspace, and through the ORM oracle,
one call after the other, in another. Every resulting row must be equal.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Conversation, Message, Turn, TurnStatus
from apps.core.errors import ApiError
from apps.credits.models import Account, LedgerEntry
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.types import NewTurn, Receipt, Settlement
from tests.factories import grant_credits
from tests.turns.conftest import make_priced_chatbot
from tests.turns.orm_oracle import open_turn as open_by_orm
from tests.turns.orm_oracle import settle_turn as settle_by_orm
from tests.turns.turn_factory import new_turn

# The steps of a scenario. Turns and conversations are identified by the number of the opening.


@dataclass(frozen=True)
class Open:
    credits: int
    continues: int | None = None
    key: str | None = None
    digest: str = "one"


@dataclass(frozen=True)
class Settle:
    turn: int
    status: TurnStatus
    text: str
    tokens: int


@dataclass(frozen=True)
class ExpireKeys:
    """More than a day passes for the idempotency keys."""


@dataclass(frozen=True)
class Grant:
    credits: int


Step = Sequence[Open] | Sequence[Settle] | ExpireKeys | Grant

END_STATUSES = [TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED]
TEXTS = ["", "Hi", 'Grüße, "world"\n\\ 😀']


def random_scenario(seed: int, steps: int) -> list[Step]:
    """Random steps. The result of a step is the same in whatever order its calls are executed:
    concurrent turns have different conversations, and a turn with an idempotency key is alone."""
    rng = random.Random(seed)
    return [Grant(5), *(_random_step(rng) for _ in range(steps))]


def _random_step(rng: random.Random) -> Step:
    openings = rng.sample(range(12), 6)
    match rng.randrange(12):
        case 0:
            return ExpireKeys()
        case 1 | 2:
            return Grant(rng.randrange(1, 12))
        case 3 | 4:
            digest = rng.choice(["one", "one", "two"])
            continues = rng.choice([None, openings[0]])
            return [Open(rng.randrange(5), continues, rng.choice(["k1", "k2"]), digest)]
        case 5 | 6 | 7 | 8:
            return [
                Open(rng.randrange(6), rng.choice([None, opening]))
                for opening in openings[: rng.randrange(1, 6)]
            ]
        case _:
            return [
                Settle(turn, rng.choice(END_STATUSES), rng.choice(TEXTS), rng.randrange(5000))
                for turn in rng.sample(range(30), 12)
            ]


@dataclass
class ScenarioRun:
    """A workspace in which a scenario runs, and the result of each call."""

    chatbot: Chatbot
    turns: dict[int, Turn] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)
    number: int = 0

    def request(self, step: Open) -> NewTurn:
        self.number += 1
        continues = self.turns.get(step.continues) if step.continues is not None else None
        return new_turn(
            self.chatbot,
            conversation_id=continues.conversation_id if continues else None,
            text=f"Message {self.number}",
            credits=step.credits,
            idempotency_key=step.key,
            request_digest=step.digest,
            request_id=f"req_{self.number:04}",
            metadata={"source": f"n {self.number}"} if step.credits % 2 else None,
        )

    def add_turn(self, turn: Turn, is_new: bool) -> tuple[str, bool]:
        if is_new:
            self.turns[len(self.turns)] = turn
        return turn.request_id, is_new


def settlement(step: Settle) -> Settlement:
    return Settlement(
        status=step.status,
        text=step.text,
        delta_lengths=[len(step.text)] if step.text else [],
        finish_reason="stop",
        error_code="MODEL_ERROR" if step.status == TurnStatus.FAILED else "",
        input_tokens=step.tokens,
        output_tokens=step.tokens // 2,
        first_token_at=timezone.now() if step.text else None,
    )


def expire_keys(run: ScenarioRun) -> None:
    turns = Turn.objects.filter(workspace=run.chatbot.workspace_id)
    turns.update(created_at=Now() - timedelta(hours=25))


async def run_by_statements(run: ScenarioRun, scenario: Sequence[Step]) -> None:
    """Run the scenario through the SQL statements; the calls of a step run concurrently."""
    for step in scenario:
        match step:
            case ExpireKeys():
                await in_thread(expire_keys, run)
            case Grant():
                await in_thread(grant_credits, run.chatbot.workspace, step.credits)
            case [Open(), *_]:
                calls = [open_turn(run.request(one)) for one in step if isinstance(one, Open)]
                opened = await asyncio.gather(*calls, return_exceptions=True)
                run.results += [
                    type(one).__name__ if isinstance(one, BaseException) else run.add_turn(*one)
                    for one in opened
                ]
            case _:
                settling = [
                    settle_turn(turn=run.turns[one.turn], settlement=settlement(one))
                    for one in step
                    if isinstance(one, Settle) and one.turn in run.turns
                ]
                receipts = await asyncio.gather(*settling, return_exceptions=True)
                run.results += [
                    type(one).__name__ if isinstance(one, BaseException) else one
                    for one in receipts
                ]


def run_by_orm(run: ScenarioRun, scenario: Sequence[Step]) -> None:
    """Run the scenario through the ORM, one call after the other."""
    for step in scenario:
        match step:
            case ExpireKeys():
                expire_keys(run)
            case Grant():
                grant_credits(run.chatbot.workspace, step.credits)
            case _:
                # A step refers only to turns that existed before it.
                turns_before = dict(run.turns)
                for one in step:
                    run.results += _call_orm(run, turns_before, one)


def _call_orm(run: ScenarioRun, turns_before: dict[int, Turn], step: Open | Settle) -> list[Any]:
    try:
        if isinstance(step, Open):
            turns_now, run.turns = run.turns, turns_before
            request = run.request(step)
            run.turns = turns_now
            return [run.add_turn(*open_by_orm(request))]
        if step.turn in turns_before:
            return [settle_by_orm(turn=turns_before[step.turn], settlement=settlement(step))]
    except (ApiError, TurnNotRunning) as error:
        return [type(error).__name__]
    return []


def rows(run: ScenarioRun) -> dict[str, Any]:
    """Every row of the workspace, with names instead of ids and times."""
    of_workspace = {"workspace": run.chatbot.workspace_id}
    turns = list(Turn.objects.filter(**of_workspace).order_by("request_id"))
    names = {turn.id: turn.request_id for turn in turns}
    conversations: dict[str, str] = {}
    for turn in turns:
        conversations.setdefault(turn.conversation_id, turn.request_id)
    left_out = {"id", "message_id", "conversation_id", "workspace_id", "chatbot_id", "model_name"}
    return {
        "turns": [
            {
                "conversation": conversations[turn.conversation_id],
                **{
                    each.attname: _without_time(getattr(turn, each.attname))
                    for each in Turn._meta.concrete_fields
                    if each.attname not in left_out
                },
            }
            for turn in turns
        ],
        "conversations": sorted(
            (conversations[one.id], one.source)
            for one in Conversation.objects.filter(**of_workspace)
        ),
        "messages": sorted(
            (
                names[one.turn_id],
                one.role,
                conversations[one.conversation_id],
                one.text,
                str(one.metadata),
            )
            for one in Message.objects.filter(**of_workspace)
        ),
        "answers have the ids that their turns name": all(
            one.id == one.turn.message_id
            for one in Message.objects.filter(role="assistant", **of_workspace).select_related(
                "turn"
            )
        ),
        "ledger": [
            (
                one.kind,
                one.amount,
                one.balance_after,
                one.turn_id and names[one.turn_id],
                one.reason,
            )
            for one in LedgerEntry.objects.filter(**of_workspace).order_by("created_at")
        ],
        "account": Account.objects.values("balance", "held", "running_turns").get(**of_workspace),
    }


def _without_time(value: Any) -> Any:
    return "a time" if hasattr(value, "isoformat") else value


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_statements_match_the_orm(connection_pool: None, seed: int) -> None:
    by_statements, by_orm = [ScenarioRun(await in_thread(make_priced_chatbot)) for _ in range(2)]
    scenario = random_scenario(seed, 40)
    await run_by_statements(by_statements, scenario)
    await in_thread(run_by_orm, by_orm, scenario)
    assert by_statements.results == by_orm.results
    assert await in_thread(rows, by_statements) == await in_thread(rows, by_orm)
    kinds = {each if isinstance(each, str) else type(each) for each in by_statements.results}
    assert {"InsufficientCredits", "ConversationBusy", "TurnNotRunning", tuple, Receipt} <= kinds
