"""The nightly reconciliation of accounts."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import DatabaseError, connections, transaction
from django.test import TestCase, override_settings
from django.utils import timezone

from apps.accounts.adapters import SEND_EMAIL_TASK
from apps.conversations.models import Turn
from apps.credits.models import Account, AccountCheck, LedgerEntry, NightlyCheck
from apps.credits.queries import failed_account_checks, latest_nightly_check
from apps.credits.services import adjust
from apps.reporting.reconciliation import check_account, check_all_accounts
from tests.credits.ledger_tampering import execute_without_triggers, rewrite_hashes
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.task_runner import run_queued_tasks
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


def random_day() -> datetime:
    """A day that no other test has used: checks are committed, and each day is checked once."""
    return datetime(2100, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(10**6))


def make_nightly_check(day: datetime) -> NightlyCheck:
    return NightlyCheck.objects.create(day=day.date(), claimed_until=day)


def make_activity(team: Team) -> Turn:
    """Create a completed turn of 3 credits, a failed one and a running one that holds 4."""
    grant_credits(team.workspace, 100)
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=3))
    turn = make_running_turn(chatbot, credits=5)
    complete_turn(turn)
    fail_turn(make_running_turn(chatbot, credits=5))
    make_running_turn(chatbot, credits=4)
    adjust(workspace_id=team.workspace.id, credits=-7, reason="x")
    return turn


def run_check(team: Team) -> AccountCheck:
    """Check the account and return the result."""
    night = make_nightly_check(random_day())
    check_account(night=night, workspace_id=team.workspace.id)
    return AccountCheck.objects.get(night=night, workspace=team.workspace)


def test_consistent_account_has_no_faults(team: Team) -> None:
    make_activity(team)
    check = run_check(team)
    last = LedgerEntry.objects.get(workspace=team.workspace, sequence=3)
    assert (check.balance, check.ledger_sum, check.held, check.running_holds) == (90, 90, 4, 4)
    assert (check.charges, check.turns_charged) == (3, 3)
    assert (check.entries, check.last_hash, check.fault) == (3, last.hash, "")


def test_wrong_number_of_running_turns_is_corrected(team: Team) -> None:
    make_running_turn(make_chatbot(team.workspace))
    account = Account.objects.filter(pk=team.workspace.id)
    for wrong in (0, 7):
        account.update(running_turns=wrong)
        assert run_check(team).fault == ""
        assert account.get().running_turns == 1


def test_tampered_entry_is_reported(team: Team) -> None:
    turn = make_activity(team)
    entry = LedgerEntry.objects.get(turn_id=turn.id)
    execute_without_triggers("UPDATE credits_ledgerentry SET amount = -1 WHERE id = %s", entry.id)
    check = run_check(team)
    assert check.fault_row_id == entry.id
    assert check.fault == (
        "Entry 2 was changed. "
        "The balance is 90, the ledger's sum is 92. "
        f"The charge and the credits of turn {turn.id} differ."
    )


def test_tampered_turn_is_reported(team: Team) -> None:
    turn = make_activity(team)
    execute_without_triggers(
        "UPDATE conversations_turn SET credits_charged = 2 WHERE id = %s", turn.id
    )
    check = run_check(team)
    assert (check.fault_row_id, check.turns_charged) == (turn.id, 2)
    assert check.fault == f"The charge and the credits of turn {turn.id} differ."


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("balance = 91", "The balance is 91, the ledger's sum is 90."),
        ("held = 5", "5 credits are held, running turns hold 4."),
    ],
)
def test_tampered_account_is_reported(team: Team, change: str, fault: str) -> None:
    make_activity(team)
    execute_without_triggers(
        f"UPDATE credits_account SET {change} WHERE workspace_id = %s", team.workspace.id
    )
    assert run_check(team).fault == fault


def test_recomputed_chain_is_reported_every_night(team: Team) -> None:
    make_activity(team)
    assert run_check(team).fault == ""
    grant_credits(team.workspace, 1)
    entry = LedgerEntry.objects.get(workspace=team.workspace, sequence=1)
    execute_without_triggers(
        "UPDATE credits_ledgerentry SET reason = 'another' WHERE id = %s", entry.id
    )
    rewrite_hashes(team.workspace.id)
    fault = "The chain was recomputed: entry 3 had another hash at the last check."
    assert [run_check(team).fault, run_check(team).fault] == [fault, fault]


def test_account_check_is_append_only(team: Team) -> None:
    make_activity(team)
    check = run_check(team)
    for change in (AccountCheck.objects.filter(pk=check.pk).delete, lambda: check.save()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_each_day_is_checked_once(team: Team) -> None:
    make_activity(team)
    day = random_day()
    night = check_all_accounts(now=day)
    assert night is not None
    assert night.checks.filter(workspace=team.workspace, fault="").count() == 1
    assert (night.accounts, night.finished_at is None) == (night.checks.count(), False)
    assert check_all_accounts(now=day + timedelta(hours=20)) is None
    assert check_all_accounts(now=day + timedelta(days=1)) is not None


def test_interrupted_run_continues_after_claim_expires(team: Team) -> None:
    make_activity(team)
    day = random_day()
    night = make_nightly_check(day)
    assert check_all_accounts(now=day) is None
    NightlyCheck.objects.filter(pk=night.pk).update(claimed_until=timezone.now())
    again = check_all_accounts(now=day)
    assert again is not None
    assert (again.pk, again.checks.filter(workspace=team.workspace).count()) == (night.pk, 1)


def test_run_whose_time_is_up_is_continued_by_the_next(team: Team) -> None:
    make_activity(team)
    day = random_day()
    assert check_all_accounts(now=day, max_seconds=0) is None
    night = check_all_accounts(now=day)
    assert night is not None
    assert night.checks.filter(workspace=team.workspace).count() == 1


@override_settings(ADMINS=[("", "books@example.com"), ("", "ops@example.com")])
def test_faults_are_emailed_to_each_admin(team: Team) -> None:
    make_activity(team)
    run_queued_tasks()
    execute_without_triggers(
        "UPDATE credits_account SET held = 5 WHERE workspace_id = %s", team.workspace.id
    )
    with TestCase.captureOnCommitCallbacks(execute=True):
        night = check_all_accounts(now=random_day())
    assert night is not None
    assert run_queued_tasks(SEND_EMAIL_TASK) == [SEND_EMAIL_TASK] * 2
    assert [
        check.workspace
        for check in failed_account_checks(night)
        if check.workspace == team.workspace
    ] == [team.workspace]
    message, other = mail.outbox
    assert (message.to, other.to) == (["books@example.com"], ["ops@example.com"])
    line = f"{team.workspace}: 5 credits are held, running turns hold 4."
    assert message.body.splitlines().count(line) == 1


def test_concurrent_workers_check_once(live_team: Team) -> None:
    make_activity(live_team)
    day = random_day()
    barrier = Barrier(2)

    def work(_: int) -> bool:
        barrier.wait(timeout=30)
        try:
            return check_all_accounts(now=day) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, range(2))) == [False, True]
    assert NightlyCheck.objects.filter(day=day.date()).count() == 1
    checks = AccountCheck.objects.filter(workspace=live_team.workspace, night__day=day.date())
    assert checks.count() == 1


def test_latest_check_is_the_last_finished_one(team: Team) -> None:
    ended = NightlyCheck.objects.create(
        day=datetime(9000, 1, 1, tzinfo=UTC).date(),
        claimed_until=timezone.now(),
        finished_at=timezone.now(),
    )
    make_nightly_check(datetime(9000, 1, 2, tzinfo=UTC))
    assert latest_nightly_check() == ended
