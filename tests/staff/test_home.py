"""The sections of the admin's home page."""

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
from tests.turns.turn_factory import complete_turn, expire_heartbeat, fail_turn, make_running_turn


def client_in_group(group: str) -> Client:
    """A client logged in as a member of the group; "" is a superuser."""
    client = Client()
    user = make_user("staff", is_staff=True, is_superuser=not group)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def home_sections(group: str = "") -> dict[str, Section]:
    answer = client_in_group(group).get("/admin/")
    assert answer.status_code == 200
    return {section.title.split(",")[0]: section for section in answer.context["sections"]}


def cell_texts(section: Section) -> list[list[str]]:
    """The rows with links reduced to their text."""
    return [[_cell_text(cell) for cell in row] for row in section.rows]


def _cell_text(cell: object) -> str:
    text = str(cell)
    return text.split(">")[1].split("<")[0] if text.startswith("<a") else text


def test_empty_installation_needs_no_attention(team: Team) -> None:
    assert {title: cell_texts(section) for title, section in home_sections().items()} == {
        "Ledger checks": [],
        "Open credit requests": [],
        "Low or out of credits": [],
        "Failing webhooks": [],
        "Errors by model (24 hours)": [],
        "Abandoned turns (7 days)": [],
    }
    page = client_in_group("").get("/admin/").content.decode()
    assert "All active workspaces have credits." in page


def test_failed_account_checks_are_listed(team: Team) -> None:
    grant_credits(team.workspace, 10)
    execute_without_triggers(
        "UPDATE credits_account SET balance = 11 WHERE workspace_id = %s", team.workspace.id
    )
    day = datetime(9999, 12, 31, tzinfo=UTC)
    night = NightlyCheck.objects.create(day=day, claimed_until=day, finished_at=day)
    check_account(night=night, workspace_id=team.workspace.id)
    fault = "The balance is 11, the ledger's sum is 10."
    assert cell_texts(home_sections("auditor")["Ledger checks"]) == [
        [str(team.workspace), escape(fault), "—"]
    ]


def test_open_request_is_listed_until_decided(team: Team) -> None:
    given = {"workspace_id": team.workspace.id, "user": team.alice, "actor": SYSTEM}
    request = request_credits(**given, credits=5000, note="")
    (row,) = cell_texts(home_sections("finance")["Open credit requests"])
    assert row[:2] == ["5,000 credits", team.workspace.slug]
    withdraw_request(workspace_id=team.workspace.id, request_id=request.id, actor=SYSTEM)
    assert cell_texts(home_sections("finance")["Open credit requests"]) == []


def test_account_low_on_credits_is_listed(team: Team) -> None:
    grant_credits(team.workspace, 101)
    plan = Plan.objects.create(slug="small", name="Small", monthly_credits=1000)
    Account.objects.filter(workspace=team.workspace).update(plan=plan)
    turn = make_running_turn(make_chatbot(team.workspace), credits=1)
    assert cell_texts(home_sections()["Low or out of credits"]) == [
        [team.workspace.slug, "100", "1", "Small"]
    ]
    complete_turn(turn)
    assert cell_texts(home_sections()["Low or out of credits"]) == []
    adjust(workspace_id=team.workspace.id, credits=-101, reason="all of it")
    assert cell_texts(home_sections()["Low or out of credits"]) == [
        [team.workspace.slug, "0", "0", "Small"]
    ]


def test_unused_account_is_not_listed(team: Team) -> None:
    grant_credits(team.workspace, 1)
    adjust(workspace_id=team.workspace.id, credits=-1, reason="all of it")
    assert cell_texts(home_sections()["Low or out of credits"]) == []
    complete_turn(make_running_turn(make_chatbot(team.workspace)))
    Turn.objects.filter(workspace=team.workspace).update(created_at=Now() - timedelta(days=31))
    assert cell_texts(home_sections()["Low or out of credits"]) == []


def test_failing_endpoints_are_listed(team: Team) -> None:
    failing, gone, old, off = (make_webhook_endpoint(team.workspace)[0] for _ in range(4))
    make_webhook_endpoint(team.other_workspace)
    now = timezone.now()

    def change(endpoint: Endpoint, **fields: object) -> None:
        Endpoint.objects.filter(pk=endpoint.pk).update(**fields)

    change(failing, failing_since=now - timedelta(hours=2))
    change(gone, disabled_at=now, disabled_reason="gone", failing_since=now)
    change(old, disabled_at=now - timedelta(days=8), disabled_reason="gone")
    change(off, disabled_at=now, disabled_reason="owner", failing_since=now)
    rows = cell_texts(home_sections()["Failing webhooks"])
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("http://127.0.0.1:9", team.workspace.slug, "Active"),
        ("http://127.0.0.1:9", team.workspace.slug, "The endpoint returned 410 Gone"),
    ]


def test_models_are_ordered_by_error_rate(team: Team) -> None:
    good, bad, worse = (make_language_model() for _ in range(3))
    for model, outcomes in ((good, "++"), (bad, "+-"), (worse, "-")):
        for outcome in outcomes:
            turn = make_running_turn(make_chatbot(team.workspace, model))
            complete_turn(turn) if outcome == "+" else fail_turn(turn)
    slow = make_running_turn(make_chatbot(team.other_workspace, worse))
    settle_turn_blocking(
        turn=slow, settlement=Settlement(status=TurnStatus.FAILED, error_code="MODEL_TIMEOUT")
    )
    assert cell_texts(home_sections()["Errors by model (24 hours)"]) == [
        [worse.name, "2", "2", "100.0%", "0", "1"],
        [bad.name, "2", "1", "50.0%", "0", "0"],
    ]


def test_failures_older_than_a_day_are_not_listed(team: Team) -> None:
    fail_turn(make_running_turn(make_chatbot(team.workspace)))
    Turn.objects.filter(workspace=team.workspace).update(created_at=Now() - timedelta(hours=25))
    assert cell_texts(home_sections()["Errors by model (24 hours)"]) == []


def test_abandoned_turns_are_listed_newest_first(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    turns = [make_running_turn(chatbot) for _ in range(3)]
    for turn in turns:
        expire_heartbeat(turn)
        sweep_turns()
    rows = cell_texts(home_sections()["Abandoned turns (7 days)"])
    assert [row[0] for row in rows] == [turn.id for turn in reversed(turns)]
    assert {row[1] for row in rows} == {team.workspace.slug}


ALL_SECTIONS = [
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
        ("support", ALL_SECTIONS),
        ("finance", [title for title in ALL_SECTIONS if title != "Failing webhooks"]),
        ("operator", ["Errors by model (24 hours)", "Abandoned turns (7 days)"]),
        ("auditor", ALL_SECTIONS),
    ],
)
def test_sections_depend_on_permissions(team: Team, group: str, shown: list[str]) -> None:
    assert list(home_sections(group)) == shown
