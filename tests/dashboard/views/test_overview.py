"""The overview's figures."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.reporting.overview import (
    DAY,
    Summary,
    count_active_users,
    count_errors_by_code,
    days_until_empty,
    describe_change,
    summary,
    turns_over_time,
)
from tests.dashboard.page_client import login, page_path
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    grant_credits(team.workspace, 1000)
    return make_chatbot(team.workspace, make_language_model(credits_per_reply=3))


def make_answered_turn(chatbot: Chatbot, *, user: str = "u", ms: int | None = None) -> Turn:
    """A turn with an answer, whose first token came after so many milliseconds."""
    turn = make_running_turn(chatbot, credits=3, metadata={"userId": user})
    complete_turn(turn, first_token_at=ms and created_at_of(turn) + timedelta(milliseconds=ms))
    return turn


def created_at_of(turn: Turn) -> Any:
    turn.refresh_from_db()
    return turn.created_at


def backdate(turn: Turn, days: float) -> None:
    Turn.objects.filter(id=turn.id).update(created_at=timezone.now() - timedelta(days=days))


def recent_summary(team: Team, over: timedelta = DAY) -> Summary:
    now = timezone.now() + timedelta(seconds=1)
    return summary(team.workspace.id, since=now - over, until=now)


def recent_users(team: Team, over: timedelta) -> int:
    now = timezone.now() + timedelta(seconds=1)
    return count_active_users(team.workspace.id, since=now - over, until=now)


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (676, 576, "▲ 17% vs. previous 7 days"),
        (900, 1200, "▼ 25% vs. previous 7 days"),
        (1000, 1001, "Same as previous 7 days"),
        (4, 0, "None in previous 7 days"),
    ],
)
def test_change_is_described(now: int, before: int, text: str) -> None:
    assert describe_change(now, before, period="7 days") == text


def test_summary_counts_one_workspace_and_period(team: Team, chatbot: Chatbot) -> None:
    for user, ms in (("ada", 100), ("ada", 200), ("ben", 300)):
        make_answered_turn(chatbot, user=user, ms=ms)
    fail_turn(make_running_turn(chatbot, credits=3, metadata={"userId": "ada"}))
    backdate(make_answered_turn(chatbot, user="old", ms=9000), 2)
    grant_credits(team.other_workspace, 10)
    make_answered_turn(make_chatbot(team.other_workspace), user="theirs", ms=9000)
    day, week = recent_summary(team), recent_summary(team, 7 * DAY)
    assert day == Summary(
        messages=7,
        conversations=4,
        credits=9,
        turns=4,
        failed=1,
        p50_ms=200,
        p95_ms=290,
    )
    assert day.error_rate == 25
    assert (week.turns, week.credits) == (5, 12)
    assert [recent_users(team, over) for over in (DAY, 7 * DAY)] == [2, 3]


def test_summary_without_turns_is_zero(team: Team) -> None:
    assert recent_summary(team) == Summary(0, 0, 0, 0, 0, None, None)
    assert recent_summary(team).error_rate == 0


def test_time_series_has_every_hour_and_turn_once(team: Team, chatbot: Chatbot) -> None:
    make_answered_turn(chatbot)
    backdate(make_answered_turn(chatbot), 0.5)
    now = timezone.now() + timedelta(seconds=1)
    hours = turns_over_time(team.workspace.id, since=now - DAY, until=now)
    assert {later.at - hour.at for hour, later in pairwise(hours)} == {timedelta(hours=1)}
    assert [sum(h.turns for h in hours), sum(h.credits for h in hours)] == [2, 6]
    days = turns_over_time(team.workspace.id, since=now - 7 * DAY, until=now)
    assert [len(days), sum(day.turns for day in days)] == [8, 2]


def test_errors_are_counted_by_code(team: Team, chatbot: Chatbot) -> None:
    first, *others = (make_running_turn(chatbot) for _ in range(3))
    fail_turn(first)
    for turn in others:
        fail_turn(turn, error_code="MODEL_TIMEOUT")
    now = timezone.now() + timedelta(seconds=1)
    found = count_errors_by_code(team.workspace.id, since=now - DAY, until=now)
    assert found == [("MODEL_TIMEOUT", 2), ("MODEL_ERROR", 1)]


@pytest.mark.parametrize(
    ("balance", "used", "over", "days"),
    [(100, 10, DAY, 10), (100, 70, 7 * DAY, 10), (5, 10, DAY, 0), (100, 0, DAY, None)],
)
def test_days_until_empty_uses_the_rate_of_the_period(
    balance: int, used: int, over: timedelta, days: int | None
) -> None:
    assert days_until_empty(balance=balance, credits=used, period=over) == days


@pytest.mark.parametrize("period", ["today", "7d", "30d", "nonsense"])
def test_query_count_is_constant(
    team: Team, chatbot: Chatbot, period: str, django_assert_num_queries: Any
) -> None:
    browser = login(team.alice)
    make_answered_turn(chatbot)
    page = page_path(team.workspace, f"?period={period}")
    with django_assert_num_queries(13):
        assert browser.get(page).context["period"] == period.replace("nonsense", "7d")
    for _ in range(49):
        make_answered_turn(chatbot)
    with django_assert_num_queries(13):
        assert browser.get(page).context["now"].turns == 50
