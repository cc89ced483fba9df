"""An answer is kept and its callers are told an end, whatever goes wrong while a turn settles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NoReturn, cast

import pytest
from channels.layers import get_channel_layer
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.chat.engine.events import TurnEnded, TurnInterrupted
from apps.chat.engine.run.process import TurnProcess
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn, TurnStatus
from apps.conversations.queries import get_answer_text
from apps.credits.queries import Balance, balance_for
from apps.infrastructure.postgres.threads import in_thread
from apps.llm.types import DeltaHandler, ModelRequest, Usage
from apps.turns.database import TurnDatabase
from apps.turns.final_settlement import settle_for_good
from apps.turns.open import open_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from tests.e2e.database_state import wait_until
from tests.fault_injection import reject_inserts
from tests.turns.faulty_world import Model
from tests.turns.turn_factory import expire_heartbeat, new_turn

NO_REQUEST = cast(ModelRequest, None)


async def open_paid_turn(chatbot: Chatbot) -> Turn:
    turn, _ = await open_turn(new_turn(chatbot, credits=5))
    return turn


@pytest.mark.parametrize(
    ("tokens", "stored"),
    [(6_824_241_167, 2**31 - 1), (2**31, 2**31 - 1), (-1, 0), (10**30, 2**31 - 1)],
)
async def test_number_that_does_not_fit_is_clipped(
    funded_chatbot: Chatbot, tokens: int, stored: int
) -> None:
    turn = await open_paid_turn(funded_chatbot)
    settlement = Settlement(
        status=TurnStatus.COMPLETED, text="Hi", input_tokens=tokens, output_tokens=1
    )
    used, receipt = await settle_for_good(TurnDatabase(), turn=turn, settlement=settlement)
    await in_thread(turn.refresh_from_db)
    assert (turn.status, used.input_tokens, turn.input_tokens) == ("completed", stored, stored)
    assert receipt.charged == turn.credits_charged <= 5


async def test_text_that_cannot_be_stored_is_cleaned(funded_chatbot: Chatbot) -> None:
    turn = await open_paid_turn(funded_chatbot)
    text = "a\0b\ud83dc"
    settlement = Settlement(status=TurnStatus.COMPLETED, text=text, delta_lengths=[2, 3])
    used, receipt = await settle_for_good(TurnDatabase(), turn=turn, settlement=settlement)
    await in_thread(turn.refresh_from_db)
    assert await in_thread(get_answer_text, turn) == used.text == "a\ufffdb\ufffdc"
    assert (turn.delta_lengths, receipt.charged) == ([2, 3], 1)


async def test_turn_that_has_just_ended_here_needs_no_redis(funded_chatbot: Chatbot) -> None:
    """It was read while it ran, and has settled before it is followed or stopped."""
    process, models = make_process(Model, get_layer=unavailable_layer)
    turn, _ = await open_turn(new_turn(funded_chatbot, credits=5, process=process.relay.name))
    running = process.running_turns.start(turn, NO_REQUEST)
    await asyncio.sleep(0)
    models[0].say("Hi")
    models[0].end()
    last = await running.log.outcome()
    await process.running_turns.drain()
    await asyncio.sleep(0)
    assert await (await process.follow(turn)).outcome() == await process.stop(turn) == last


def unavailable_layer() -> NoReturn:
    raise RedisConnectionError


class HugeModel(Model):
    """Its server reports what no column can hold."""

    @property
    def usage(self) -> Usage:
        return Usage(10**12, 10**12)


async def test_stop_before_the_model_is_asked(funded_chatbot: Chatbot) -> None:
    """Another process sees a committed turn before its own has begun to run it."""
    process, _ = make_process(Model)
    turn = await open_paid_turn(funded_chatbot)
    last = await process.stop(process.running_turns.start(turn, NO_REQUEST).turn)
    assert isinstance(last, TurnEnded)
    assert (last.finish_reason, last.response) == ("stopped", "")


async def test_huge_usage_report_loses_no_answer(funded_chatbot: Chatbot) -> None:
    process, models = make_process(HugeModel)
    turn = await open_paid_turn(funded_chatbot)
    running = process.running_turns.start(turn, NO_REQUEST)
    await asyncio.sleep(0)
    models[0].say("Hi")
    models[0].end()
    last = await running.log.outcome()
    assert isinstance(last, TurnEnded)
    assert (last.response, last.charged, last.input_tokens) == ("Hi", 5, 2**31 - 1)
    assert await in_thread(balance_for, turn.workspace_id) == Balance(5, 0)


async def test_refused_settlement_interrupts_the_followers(funded_chatbot: Chatbot) -> None:
    """Then the sweep settles the turn."""
    process, models = make_process(Model)
    turn = await open_paid_turn(funded_chatbot)
    running = process.running_turns.start(turn, NO_REQUEST)
    await asyncio.sleep(0)
    with ExitStack() as faults:
        rejection = reject_inserts("conversations_message", funded_chatbot.workspace)
        await in_thread(faults.enter_context, rejection)
        models[0].say("Hi")
        models[0].end()
        last = await running.log.outcome()
        await in_thread(faults.close)
    assert isinstance(last, TurnInterrupted)
    assert last.error.code == "INTERNAL_ERROR"
    await in_thread(expire_heartbeat, turn)
    assert turn.id in await in_thread(sweep_turns)
    assert await in_thread(balance_for, turn.workspace_id) == Balance(10, 0)


async def test_heartbeat_that_cannot_be_stored_costs_no_other(funded_chatbot: Chatbot) -> None:
    """A text that PostgreSQL refuses is cleaned; the other turns are saved as ever."""
    process, models = make_process(Model)
    turns = [await open_paid_turn(funded_chatbot) for _ in range(2)]
    for turn in turns:
        process.running_turns.start(turn, NO_REQUEST)
    await asyncio.sleep(0)
    for model, text in zip(models, ("a\0", "b"), strict=True):
        model.say(text)
    await in_thread(wait_until, lambda: all(saved_text(turn) for turn in turns))
    assert [await in_thread(saved_text, turn) for turn in turns] == ["a\ufffd", "b"]
    for model in models:
        model.end()
    await process.running_turns.drain()


def saved_text(turn: Turn) -> str:
    return Turn.objects.get(id=turn.id).text_so_far


def make_process(
    model: type[Model], *, get_layer: Callable[[], Any] = get_channel_layer
) -> tuple[TurnProcess, list[Model]]:
    models: list[Model] = []

    def start(request: ModelRequest, on_delta: DeltaHandler) -> Model:
        models.append(model(request, on_delta))
        return models[-1]

    return TurnProcess(start_completion=start, get_layer=get_layer), models
