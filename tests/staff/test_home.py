"""The admin's start page: what needs a person, to whom it may be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from apps.audit.services import SYSTEM
from apps.conversations.models import Turn, TurnStatus
from apps.credits.credit_requests import request_credits, withdraw_request
from apps.credits.models import Account, NightlyCheck, Plan
from apps.credits.services import adjust
from apps.reporting.reconciliation import check_account
from apps.staff.sections import Section
from apps.turns.settle import settle_turn_blocking
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from apps.webhooks.models import Endpoint
from tests.credits.ledger_tampering import execute_without_triggers
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_user,
    make_webhook_endpoint,
)
from tests.turns.new_turns import completed, failed, opened, silence


def page_of(group: str) -> Client:
    """A browser in which somebody of this group is signed in; "" is a superuser."""
    client = Client()
    user = make_user("staff", is_staff=True, is_superuser=not group)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def sections(group: str = "") -> dict[str, Section]:
    answer = page_of(group).get("/admin/")
    assert answer.status_code == 200
    return {section.title.split(",")[0]: section for section in answer.context["sections"]}


def told(section: Section) -> list[list[str]]:
    """The rows without the links around their names."""
    return [[_words(cell) for cell in row] for row in section.rows]


def _words(cell: object) -> str:
    text = str(cell)
    return text.split(">")[1].split("<")[0] if text.startswith("<a") else text


def test_quiet_installation_says_that_nothing_needs_anybody(team: Team) -> None:
    assert {title: told(section) for title, section in sections().items()} == {
        "Ledger checks": [],
        "Open credit requests": [],
        "Low or out of credits": [],
        "Failing webhooks": [],
        "Errors by model (24 hours)": [],
        "Abandoned turns (7 days)": [],
    }
    page = page_of("").get("/admin/").content.decode()
    assert "All active workspaces have credits." in page


def test_books_that_differed_last_night_are_named(team: Team) -> None:
    grant_credits(team.workspace, 10)
    execute_without_triggers(
        "UPDATE credits_account SET balance = 11 WHERE workspace_id = %s", team.workspace.id
    )
    day = datetime(9999, 12, 31, tzinfo=UTC)
    night = NightlyCheck.objects.create(day=day, claimed_until=day, finished_at=day)
    check_account(night=night, workspace_id=team.workspace.id)
    fault = "The balance is 11, the ledger's sum is 10."
    assert told(sections("auditor")["Ledger checks"]) == [[str(team.workspace), escape(fault), "—"]]


def test_request_waits_until_it_is_decided(team: Team) -> None:
    given = {"workspace_id": team.workspace.id, "user": team.alice, "actor": SYSTEM}
    request = request_credits(**given, credits=5000, note="")
    (row,) = told(sections("finance")["Open credit requests"])
    assert row[:2] == ["5,000 credits", team.workspace.slug]
    withdraw_request(workspace_id=team.workspace.id, request_id=request.id, actor=SYSTEM)
    assert told(sections("finance")["Open credit requests"]) == []


def test_account_in_use_with_a_tenth_of_its_month_left_is_named(team: Team) -> None:
    grant_credits(team.workspace, 101)
    plan = Plan.objects.create(slug="small", name="Small", monthly_credits=1000)
    Account.objects.filter(workspace=team.workspace).update(plan=plan)
    turn = opened(make_chatbot(team.workspace), credits=1)
    assert told(sections()["Low or out of credits"]) == [[team.workspace.slug, "100", "1", "Small"]]
    completed(turn)
    assert told(sections()["Low or out of credits"]) == []
    adjust(workspace_id=team.workspace.id, credits=-101, reason="all of it")
    assert told(sections()["Low or out of credits"]) == [[team.workspace.slug, "0", "0", "Small"]]


def test_account_that_nobody_uses_is_not_named(team: Team) -> None:
    grant_credits(team.workspace, 1)
    adjust(workspace_id=team.workspace.id, credits=-1, reason="all of it")
    assert told(sections()["Low or out of credits"]) == []
    completed(opened(make_chatbot(team.workspace)))
    Turn.objects.filter(workspace=team.workspace).update(created_at=Now() - timedelta(days=31))
    assert told(sections()["Low or out of credits"]) == []


def test_endpoints_that_fail_or_failed_for_good_are_named(team: Team) -> None:
    failing, gone, old, off = (make_webhook_endpoint(team.workspace)[0] for _ in range(4))
    make_webhook_endpoint(team.other_workspace)
    now = timezone.now()

    def change(endpoint: Endpoint, **fields: object) -> None:
        Endpoint.objects.filter(pk=endpoint.pk).update(**fields)

    change(failing, failing_since=now - timedelta(hours=2))
    change(gone, disabled_at=now, disabled_reason="gone", failing_since=now)
    change(old, disabled_at=now - timedelta(days=8), disabled_reason="gone")
    change(off, disabled_at=now, disabled_reason="owner", failing_since=now)
    rows = told(sections()["Failing webhooks"])
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("http://127.0.0.1:9", team.workspace.slug, "Active"),
        ("http://127.0.0.1:9", team.workspace.slug, "The endpoint returned 410 Gone"),
    ]


def test_models_are_told_by_how_often_they_failed(team: Team) -> None:
    good, bad, worse = (make_language_model() for _ in range(3))
    for model, outcomes in ((good, "++"), (bad, "+-"), (worse, "-")):
        for outcome in outcomes:
            turn = opened(make_chatbot(team.workspace, model))
            completed(turn) if outcome == "+" else failed(turn)
    slow = opened(make_chatbot(team.other_workspace, worse))
    settle_turn_blocking(
        turn=slow, settlement=Settlement(status=TurnStatus.FAILED, error_code="MODEL_TIMEOUT")
    )
    assert told(sections()["Errors by model (24 hours)"]) == [
        [worse.name, "2", "2", "100.0%", "0", "1"],
        [bad.name, "2", "1", "50.0 %", "0", "0"],
    ]


def test_failure_of_the_day_before_is_forgotten(team: Team) -> None:
    failed(opened(make_chatbot(team.workspace)))
    Turn.objects.filter(workspace=team.workspace).update(created_at=Now() - timedelta(hours=25))
    assert told(sections()["Errors by model (24 hours)"]) == []


def test_turns_whose_process_died_are_listed_newest_first(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    turns = [opened(chatbot) for _ in range(3)]
    for turn in turns:
        silence(turn)
        sweep_turns()
    rows = told(sections()["Abandoned turns (7 days)"])
    assert [row[0] for row in rows] == [turn.id for turn in reversed(turns)]
    assert {row[1] for row in rows} == {team.workspace.slug}


EVERYTHING = [
    "Ledger checks",
    "Open credit requests",
    "Low or out of credits",
    "Failing webhooks",
    "Errors by model (24 hours)",
    "Abandoned turns (7 days)",
]


@pytest.mark.parametrize(
    ("group", "shown"),
    [
        ("support", EVERYTHING),
        ("finance", [title for title in EVERYTHING if title != "Failing webhooks"]),
        ("operator", ["Errors by model (24 hours)", "Abandoned turns (7 days)"]),
        ("auditor", EVERYTHING),
    ],
)
def test_each_group_is_shown_what_it_may_see_anyway(
    team: Team, group: str, shown: list[str]
) -> None:
    assert list(sections(group)) == shown
