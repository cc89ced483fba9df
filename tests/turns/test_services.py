"""The statements that open and settle many turns at once, held to what the services do.

The services, one ORM call after the other, say what is right. Here both are driven through the
same random story, each in a workspace of its own, and every row must come out the same.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.audit.services import SYSTEM
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationNotFound, TurnNotRunning
from apps.conversations.models import Conversation, Message, Turn, TurnStatus
from apps.core.errors import ApiError
from apps.credits.errors import InsufficientCredits
from apps.credits.models import LedgerEntry
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import lock_account
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.heartbeat import save_progress
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Receipt, Settlement
from tests.factories import (
    grant_credits,
    make_chatbot,
    make_language_model,
    make_team,
    make_workspace,
)
from tests.turns.orm_oracle import open_turn as open_by_orm
from tests.turns.orm_oracle import settle_turn as settle_by_orm
from tests.turns.turn_factory import expire_heartbeat, new_turn

# What happens in a story. Turns and conversations are named by the number of the turn's opening.


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
class Wait:
    """A day goes by for the idempotency keys."""


@dataclass(frozen=True)
class Give:
    credits: int


Step = Sequence[Open] | Sequence[Settle] | Wait | Give

ENDS = [TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED]
TEXTS = ["", "Hi", 'Grüße, "world"\n\\ 😀']


def story(seed: int, steps: int) -> list[Step]:
    """A random story. What a step asks at one moment has one right outcome in any order: turns in
    different conversations, and idempotency keys alone."""
    dice = random.Random(seed)
    return [Give(5), *(_step(dice) for _ in range(steps))]


def _step(dice: random.Random) -> Step:
    threads = dice.sample(range(12), 6)
    match dice.randrange(12):
        case 0:
            return Wait()
        case 1 | 2:
            return Give(dice.randrange(1, 12))
        case 3 | 4:
            digest = dice.choice(["one", "one", "two"])
            thread = dice.choice([None, threads[0]])
            return [Open(dice.randrange(5), thread, dice.choice(["k1", "k2"]), digest)]
        case 5 | 6 | 7 | 8:
            return [
                Open(dice.randrange(6), dice.choice([None, thread]))
                for thread in threads[: dice.randrange(1, 6)]
            ]
        case _:
            return [
                Settle(turn, dice.choice(ENDS), dice.choice(TEXTS), dice.randrange(5000))
                for turn in dice.sample(range(30), 12)
            ]


@dataclass
class Told:
    """A workspace in which a story is told, and what each step answered."""

    chatbot: Chatbot
    turns: dict[int, Turn] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list)
    number: int = 0

    def request(self, one: Open) -> Any:
        self.number += 1
        continues = self.turns.get(one.continues) if one.continues is not None else None
        return new_turn(
            self.chatbot,
            conversation_id=continues.conversation_id if continues else None,
            text=f"Message {self.number}",
            credits=one.credits,
            idempotency_key=one.key,
            request_digest=one.digest,
            request_id=f"req_{self.number:04}",
            metadata={"source": f"n {self.number}"} if one.credits % 2 else None,
        )

    def opened(self, turn: Turn, is_new: bool) -> tuple[str, bool]:
        if is_new:
            self.turns[len(self.turns)] = turn
        return turn.request_id, is_new


def settlement(settle: Settle) -> Settlement:
    return Settlement(
        status=settle.status,
        text=settle.text,
        delta_lengths=[len(settle.text)] if settle.text else [],
        finish_reason="stop",
        error_code="MODEL_ERROR" if settle.status == TurnStatus.FAILED else "",
        input_tokens=settle.tokens,
        output_tokens=settle.tokens // 2,
        first_token_at=timezone.now() if settle.text else None,
    )


def day_goes_by(told: Told) -> None:
    turns = Turn.objects.filter(workspace=told.chatbot.workspace_id)
    turns.update(created_at=Now() - timedelta(hours=25))


async def tell_together(told: Told, story: Sequence[Step]) -> None:
    """The story by the statements: what a step holds is asked at the same moment."""
    for step in story:
        match step:
            case Wait():
                await in_thread(day_goes_by, told)
            case Give():
                await in_thread(grant_credits, told.chatbot.workspace, step.credits)
            case [Open(), *_]:
                asked = [open_turn(told.request(one)) for one in step if isinstance(one, Open)]
                found = await asyncio.gather(*asked, return_exceptions=True)
                told.answers += [
                    type(one).__name__ if isinstance(one, BaseException) else told.opened(*one)
                    for one in found
                ]
            case _:
                ends = [
                    settle_turn(turn=told.turns[one.turn], settlement=settlement(one))
                    for one in step
                    if isinstance(one, Settle) and one.turn in told.turns
                ]
                answers = await asyncio.gather(*ends, return_exceptions=True)
                told.answers += [
                    type(one).__name__ if isinstance(one, BaseException) else one for one in answers
                ]


def tell_one_by_one(told: Told, story: Sequence[Step]) -> None:
    """The same story by the services."""
    for step in story:
        match step:
            case Wait():
                day_goes_by(told)
            case Give():
                grant_credits(told.chatbot.workspace, step.credits)
            case _:
                # All that a step names is what was there before it.
                before = dict(told.turns)
                for one in step:
                    told.answers += _answer(told, before, one)


def _answer(told: Told, before: dict[int, Turn], one: Open | Settle) -> list[Any]:
    try:
        if isinstance(one, Open):
            after, told.turns = told.turns, before
            request = told.request(one)
            told.turns = after
            return [told.opened(*open_by_orm(request))]
        if one.turn in before:
            return [settle_by_orm(turn=before[one.turn], settlement=settlement(one))]
    except (ApiError, TurnNotRunning) as error:
        return [type(error).__name__]
    return []


def rows(told: Told) -> dict[str, Any]:
    """Every row of the workspace, with names in place of its ids and of its moments."""
    of_workspace = {"workspace": told.chatbot.workspace_id}
    turns = list(Turn.objects.filter(**of_workspace).order_by("request_id"))
    names = {turn.id: turn.request_id for turn in turns}
    threads: dict[str, str] = {}
    for turn in turns:
        threads.setdefault(turn.conversation_id, turn.request_id)
    left_out = {"id", "message_id", "conversation_id", "workspace_id", "chatbot_id", "model_name"}
    return {
        "turns": [
            {
                "conversation": threads[turn.conversation_id],
                **{
                    each.attname: _moment(getattr(turn, each.attname))
                    for each in Turn._meta.concrete_fields
                    if each.attname not in left_out
                },
            }
            for turn in turns
        ],
        "conversations": sorted(
            (threads[one.id], one.source) for one in Conversation.objects.filter(**of_workspace)
        ),
        "messages": sorted(
            (
                names[one.turn_id],
                one.role,
                threads[one.conversation_id],
                one.text,
                str(one.metadata),
            )
            for one in Message.objects.filter(**of_workspace)
        ),
        "answers are where the turns say": all(
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
        "account": balance_for(told.chatbot.workspace_id),
    }


def _moment(value: Any) -> Any:
    return "a moment" if hasattr(value, "isoformat") else value


def new_story(chatbots: int = 2) -> list[Told]:
    model = make_language_model(credits_per_reply=1, credits_per_1k_input=1)
    return [Told(make_chatbot(make_workspace(), model)) for _ in range(chatbots)]


@pytest.fixture
async def closed_afterwards(committed: None) -> AsyncIterator[None]:
    yield
    await close_pool()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_statements_do_what_the_services_do(closed_afterwards: None, seed: int) -> None:
    together, one_by_one = await in_thread(new_story)
    steps = story(seed, 40)
    await tell_together(together, steps)
    await in_thread(tell_one_by_one, one_by_one, steps)
    assert together.answers == one_by_one.answers
    assert await in_thread(rows, together) == await in_thread(rows, one_by_one)
    kinds = {answer if isinstance(answer, str) else type(answer) for answer in together.answers}
    assert {"InsufficientCredits", "ConversationBusy", "TurnNotRunning", tuple, Receipt} <= kinds


@pytest.fixture
async def chatbot(closed_afterwards: None) -> Chatbot:
    """A chatbot whose workspace has 10 credits."""

    def make() -> Chatbot:
        (told,) = new_story(1)
        grant_credits(told.chatbot.workspace, 10)
        return told.chatbot

    return await in_thread(make)


async def codes(*steps: Coroutine[Any, Any, Any]) -> list[str]:
    """How steps that are asked at one moment come out."""
    answers = await asyncio.gather(*steps, return_exceptions=True)
    return [type(one).__name__ if isinstance(one, BaseException) else "done" for one in answers]


async def test_full_account_refuses_only_what_does_not_fit(chatbot: Chatbot) -> None:
    asked = [open_turn(new_turn(chatbot, credits=credits)) for credits in (6, 11, 5, 3, 1, 1)]
    refused = InsufficientCredits.__name__
    assert await codes(*asked) == ["done", refused, refused, "done", "done", refused]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 10)


async def test_one_key_asked_at_one_moment_opens_one_turn(chatbot: Chatbot) -> None:
    asked = [open_turn(new_turn(chatbot, credits=1, idempotency_key="k")) for _ in range(4)]
    found = await asyncio.gather(*asked)
    assert len({turn.id for turn, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False, False, False, True]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 1)


async def test_one_conversation_asked_at_one_moment_opens_one_turn(chatbot: Chatbot) -> None:
    first, _ = await open_turn(new_turn(chatbot))
    await settle_turn(turn=first, settlement=Settlement(TurnStatus.COMPLETED))
    again = new_turn(chatbot, credits=1, conversation_id=first.conversation_id)
    found = await codes(*(open_turn(again) for _ in range(3)))
    assert sorted(found) == ["ConversationBusy", "ConversationBusy", "done"]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 1)


async def test_workspace_without_an_account_gets_one(closed_afterwards: None) -> None:
    (told,) = await in_thread(new_story, 1)
    asked = [open_turn(new_turn(told.chatbot, credits=credits)) for credits in (0, 1)]
    assert await codes(*asked) == ["done", "InsufficientCredits"]


def nested(levels: int) -> dict[str, Any]:
    """Metadata nested deeper than JSON can be encoded."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("poison", "error"),
    [
        ({"text": "NUL \x00"}, "UntranslatableCharacter"),
        ({"text": "half a pair \ud800"}, "InvalidTextRepresentation"),
        ({"queue_ms": 2**40}, "NumericValueOutOfRange"),
        ({"metadata": nested(3000)}, "RecursionError"),
        ({"metadata": {"a set": {1}}}, "TypeError"),
    ],
)
async def test_poisoned_turn_fails_alone_when_opening(
    chatbot: Chatbot, poison: dict[str, Any], error: str
) -> None:
    """Turns of one batch: the one that cannot be written harms no other."""
    new_turns = [new_turn(chatbot, credits=1, **fields) for fields in ({}, poison, {}, {})]
    assert await codes(*map(open_turn, new_turns)) == ["done", error, "done", "done"]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 3)


@pytest.mark.parametrize(
    ("poison", "error"),
    [
        ({"text": "NUL \x00"}, "UntranslatableCharacter"),
        ({"input_tokens": 6_824_241_167}, "NumericValueOutOfRange"),
        ({"delta_lengths": [object()]}, "TypeError"),
    ],
)
async def test_poisoned_turn_fails_alone_when_settling(
    chatbot: Chatbot, poison: dict[str, Any], error: str
) -> None:
    turns = [(await open_turn(new_turn(chatbot, credits=2)))[0] for _ in range(3)]
    answer: dict[str, Any] = {"status": TurnStatus.COMPLETED, "text": "Hi"}
    settlements = [Settlement(**answer), Settlement(**answer | poison), Settlement(**answer)]
    pairs = zip(turns, settlements, strict=True)
    assert await codes(*(settle_turn(turn=t, settlement=s) for t, s in pairs)) == [
        "done",
        error,
        "done",
    ]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(8, 2)


async def test_locked_account_does_not_hold_up_the_others(chatbot: Chatbot) -> None:
    (free,) = await in_thread(new_story, 1)
    await in_thread(grant_credits, free.chatbot.workspace, 10)
    asked, answered = Event(), Event()

    def hold_the_account() -> None:
        with transaction.atomic():
            lock_account(workspace_id=chatbot.workspace_id)
            asked.set()
            answered.wait(timeout=30)

    holding = asyncio.create_task(in_thread(hold_the_account))
    await asyncio.to_thread(asked.wait, 30)
    opening = [open_turn(new_turn(each, credits=1)) for each in (chatbot, free.chatbot)]
    assert await codes(*opening) == ["LockNotAvailable", "done"]
    answered.set()
    await holding
    assert await codes(open_turn(new_turn(chatbot, credits=1))) == ["done"]


async def test_what_was_deleted_meanwhile_is_told_as_if_it_had_never_been(chatbot: Chatbot) -> None:
    def deleted_key() -> str:
        key, _ = issue_key(workspace=chatbot.workspace, name="n")
        ApiKey.objects.filter(pk=key.pk).delete()
        return str(key.id)

    def deleted_chatbot() -> Chatbot:
        gone = make_chatbot(chatbot.workspace, chatbot.language_model)
        Chatbot.objects.filter(pk=gone.pk).delete()
        return gone

    def deleted_conversation() -> Conversation:
        turn, _ = open_by_orm(new_turn(chatbot))
        Message.objects.filter(turn=turn).delete()
        Turn.objects.filter(pk=turn.pk).delete()
        Conversation.objects.filter(pk=turn.conversation_id).delete()
        return Conversation(id=turn.conversation_id, workspace_id=turn.workspace_id)

    def hidden_conversation() -> Conversation:
        turn, _ = open_by_orm(new_turn(chatbot))
        settle_by_orm(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
        delete_conversation(
            workspace_id=turn.workspace_id, conversation_id=turn.conversation_id, actor=SYSTEM
        )
        return turn.conversation

    key_id, gone = await in_thread(deleted_key), await in_thread(deleted_chatbot)
    conversation = await in_thread(deleted_conversation)
    hidden = await in_thread(hidden_conversation)
    asked = [
        open_turn(new_turn(chatbot, credits=1)),
        open_turn(new_turn(chatbot, credits=1, api_key_id=key_id)),
        open_turn(new_turn(gone, credits=1)),
        open_turn(new_turn(chatbot, credits=1, conversation_id=conversation.id)),
        open_turn(new_turn(chatbot, credits=1, conversation_id=hidden.id)),
    ]
    expected = [InvalidApiKey, ChatbotNotFound, ConversationNotFound, ConversationNotFound]
    assert await codes(*asked) == ["done", *(error.__name__ for error in expected)]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 1)


async def test_turns_of_another_workspace_cannot_be_settled(chatbot: Chatbot) -> None:
    turn, _ = await open_turn(new_turn(chatbot, credits=2))
    theirs = await in_thread(make_team)
    turn.workspace_id = theirs.other_workspace.id
    settled = settle_turn(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
    assert await codes(settled) == ["TurnNotRunning"]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(10, 2)


async def test_receipts_of_one_statement_follow_each_other(chatbot: Chatbot) -> None:
    turns = [(await open_turn(new_turn(chatbot, credits=2)))[0] for _ in range(3)]
    ends = [TurnStatus.COMPLETED, TurnStatus.FAILED, TurnStatus.COMPLETED]
    receipts = await asyncio.gather(
        *(
            settle_turn(turn=turn, settlement=Settlement(end, "Hi"))
            for turn, end in zip(turns, ends, strict=True)
        )
    )
    assert receipts == [Receipt(1, 9), Receipt(0, 9), Receipt(1, 8)]
    assert await in_thread(balance_for, chatbot.workspace_id) == Balance(8, 0)
    assert await in_thread(ledger_sum, chatbot.workspace_id) == 8


def test_processes_that_meet_in_many_workspaces_never_stop_each_other(committed: None) -> None:
    """Two loops, as two web processes, and a sweep: the same accounts in any order."""
    told = new_story(4)
    for one in told:
        grant_credits(one.chatbot.workspace, 10_000)

    async def process(seed: int) -> None:
        dice = random.Random(seed)

        async def caller() -> None:
            for _ in range(6):
                chatbot = dice.choice(told).chatbot
                turn, _ = await open_turn(new_turn(chatbot, credits=2))
                if dice.random() < 0.3:
                    await in_thread(save_progress, {turn.id: ["So", " far"]})
                    await in_thread(expire_heartbeat, turn)
                try:
                    await settle_turn(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
                except TurnNotRunning:
                    swept.append(turn.id)

        await asyncio.gather(*(caller() for _ in range(12)))
        await close_pool()

    def sweep() -> None:
        try:
            while not all(one.done() for one in running):
                sweep_turns()
        finally:
            connections.close_all()

    swept: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(asyncio.run, process(seed)) for seed in range(2)]
        sweeping = pool.submit(sweep)
        for each in (*running, sweeping):
            each.result(timeout=60)
    workspaces = [one.chatbot.workspace_id for one in told]
    ended = Turn.objects.filter(workspace__in=workspaces)
    assert ended.count() == 144
    assert ended.filter(status="completed").count() == 144 - len(swept)
    assert [balance_for(one) for one in workspaces] == [
        Balance(ledger_sum(one), 0) for one in workspaces
    ]
    assert 40_000 - sum(ledger_sum(one) for one in workspaces) == 144 - len(swept)
