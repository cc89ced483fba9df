from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test import override_settings

from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Message, Turn, TurnSweep
from apps.conversations.queries import get_answer_text
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.turns.heartbeat import Progress, save_progress
from apps.turns.sweep import sweep_turns
from apps.turns.tasks import sweep_turns as sweep_task
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.fault_injection import reject_inserts
from tests.turns.turn_factory import (
    complete_turn,
    expire_heartbeat,
    make_running_turn,
    new_turn,
    open_turn_blocking,
)


def paid_chatbot(team: Team) -> Chatbot:
    grant_credits(team.workspace, 10)
    return make_chatbot(team.workspace, make_language_model(credits_per_reply=3))


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return paid_chatbot(team)


def test_sweep_abandons_a_dead_turn_and_keeps_its_text(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    save_progress({turn.id: Progress(["As far as it"])})
    expire_heartbeat(turn)
    assert [swept for swept in sweep_turns() if swept == turn.id] == [turn.id]
    turn.refresh_from_db()
    assert (turn.status, turn.error_code, turn.credits_charged) == (
        "abandoned",
        "TURN_ABANDONED",
        3,
    )
    assert (get_answer_text(turn), turn.text_so_far) == ("As far as it", "")
    assert balance_for(chatbot.workspace_id) == Balance(7, 0)


def test_abandoned_turn_is_charged_for_the_saved_usage(team: Team) -> None:
    grant_credits(team.workspace, 10)
    model = make_language_model(credits_per_1k_input=1000, credits_per_1k_output=1000)
    with_text, without_text = (
        make_running_turn(make_chatbot(team.workspace, model), credits=5) for _ in range(2)
    )
    save_progress(
        {
            with_text.id: Progress(["Half", " an"], input_tokens=1, output_tokens=2),
            without_text.id: Progress([], input_tokens=1, output_tokens=2),
        }
    )
    for turn in (with_text, without_text):
        expire_heartbeat(turn)
    sweep_turns()
    rows = Turn.objects.filter(workspace=team.workspace)
    found = rows.values_list("id", "credits_charged", "input_tokens", "output_tokens")
    assert {id: rest for id, *rest in found} == {
        with_text.id: [3, 1, 2],
        without_text.id: [0, 1, 2],
    }
    assert balance_for(team.workspace.id) == Balance(7, 0)


def test_key_of_a_turn_that_left_nothing_opens_a_new_one(chatbot: Chatbot) -> None:
    told, untold = (make_running_turn(chatbot, credits=3, idempotency_key=key) for key in "ab")
    save_progress({told.id: Progress(["Half"])})
    for turn in (told, untold):
        expire_heartbeat(turn)
    sweep_turns()
    assert open_turn_blocking(new_turn(chatbot, idempotency_key="a")) == (told, False)
    again, is_new = open_turn_blocking(new_turn(chatbot, idempotency_key="b"))
    assert (is_new, again != untold) == (True, True)


def test_silence_counts_only_while_the_sweep_could_write(chatbot: Chatbot) -> None:
    """PostgreSQL was away for longer than a turn may be silent: its process has time to write."""
    turn = make_running_turn(chatbot, credits=3)
    expire_heartbeat(turn)
    TurnSweep.objects.update(passed_at=Now() - timedelta(seconds=20))
    assert sweep_turns() == []
    assert sweep_turns() == []
    save_progress({turn.id: Progress(["Still here"])})
    TurnSweep.objects.update(uninterrupted_since=Now() - timedelta(seconds=10))
    assert sweep_turns() == []
    expire_heartbeat(turn)
    assert sweep_turns() == [turn.id]


def test_turn_that_cannot_be_settled_does_not_stop_the_sweep(live_team: Team) -> None:
    broken = make_running_turn(paid_chatbot(live_team), credits=3)
    fine = make_running_turn(make_chatbot(live_team.other_workspace))
    save_progress({broken.id: Progress(["Partial"])})
    for turn in (broken, fine):
        expire_heartbeat(turn)
    with reject_inserts("conversations_message", live_team.workspace):
        swept = sweep_turns()
    assert (broken.id in swept, fine.id in swept) == (False, True)
    assert broken.id in sweep_turns()


def test_sweep_of_a_turn_without_text_saves_no_answer(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    expire_heartbeat(turn)
    sweep_turns()
    roles = Message.objects.filter(turn=turn).values_list("role", flat=True)
    assert list(roles) == ["user"]


def test_sweep_skips_turns_with_a_heartbeat(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    expire_heartbeat(turn)
    save_progress({turn.id: Progress(["Still here"])})
    sweep_turns()
    turn.refresh_from_db()
    assert (turn.status, turn.text_so_far) == ("running", "Still here")
    assert balance_for(chatbot.workspace_id) == Balance(10, 3)


@override_settings(TURN_ABANDONED_AFTER_SECONDS=600)
def test_sweep_uses_the_configured_timeout(chatbot: Chatbot) -> None:
    early, late = make_running_turn(chatbot), make_running_turn(chatbot)
    expire_heartbeat(early, 540)
    expire_heartbeat(late, 660)
    sweep_turns()
    statuses = Turn.objects.filter(pk__in=[early.pk, late.pk]).values_list("id", "status")
    assert dict(statuses) == {early.id: "running", late.id: "abandoned"}


def test_sweep_skips_settled_turns(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    complete_turn(turn)
    expire_heartbeat(turn)
    sweep_turns()
    turn.refresh_from_db()
    assert turn.status == "completed"
    assert balance_for(chatbot.workspace_id) == Balance(7, 0)


def test_abandoned_turn_cannot_be_completed(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    expire_heartbeat(turn)
    sweep_turns()
    with pytest.raises(TurnNotRunning):
        complete_turn(turn)
    assert balance_for(chatbot.workspace_id) == Balance(10, 0)


def test_sweep_frees_the_conversation(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    expire_heartbeat(turn)
    sweep_turns()
    assert make_running_turn(chatbot, conversation_id=turn.conversation_id).status == "running"


def test_task_returns_the_number_of_swept_turns(chatbot: Chatbot) -> None:
    sweep_task()
    for _ in range(2):
        expire_heartbeat(make_running_turn(chatbot))
    assert sweep_task() == 2


def test_concurrent_sweeps_settle_each_turn_once(live_team: Team) -> None:
    chatbot = paid_chatbot(live_team)
    turns = [make_running_turn(chatbot, credits=1) for _ in range(8)]
    save_progress({turn.id: Progress(["Partial"]) for turn in turns})
    for turn in turns:
        expire_heartbeat(turn)
    barrier = Barrier(4)

    def sweep(_: int) -> list[str]:
        barrier.wait(timeout=30)
        try:
            return sweep_turns()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        swept = [turn_id for found in pool.map(sweep, range(4)) for turn_id in found]
    mine = {turn.id for turn in turns}
    assert sorted(turn_id for turn_id in swept if turn_id in mine) == sorted(mine)
    assert balance_for(chatbot.workspace_id) == Balance(2, 0)
    assert ledger_sum(chatbot.workspace_id) == 2
    texts = Message.objects.filter(workspace=chatbot.workspace_id, role="assistant")
    assert list(texts.values_list("text", flat=True)) == ["Partial"] * 8


def test_sweep_skips_a_locked_turn(live_team: Team) -> None:
    turn = make_running_turn(paid_chatbot(live_team), credits=3)
    expire_heartbeat(turn)

    def sweep() -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '10s'")
            return turn.id in sweep_turns()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Turn.objects.select_for_update().get(pk=turn.pk)
        assert pool.submit(sweep).result() is False
    assert turn.id in sweep_turns()


def test_concurrent_sweep_and_settlement_end_a_turn_once(live_team: Team) -> None:
    chatbot = paid_chatbot(live_team)
    turn = make_running_turn(chatbot, credits=3)
    expire_heartbeat(turn)
    barrier = Barrier(2)

    def sweep() -> bool:
        barrier.wait(timeout=30)
        try:
            return turn.id in sweep_turns()
        finally:
            connections.close_all()

    def settle() -> bool:
        barrier.wait(timeout=30)
        try:
            complete_turn(turn)
        except TurnNotRunning:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        swept, settled = pool.submit(sweep), pool.submit(settle)
        ended = {"abandoned": swept.result(), "completed": settled.result()}
    turn.refresh_from_db()
    assert ended == {turn.status: True, **{k: False for k in ended if k != turn.status}}
    expected = 7 if turn.status == "completed" else 10
    assert balance_for(chatbot.workspace_id) == Balance(expected, 0)
