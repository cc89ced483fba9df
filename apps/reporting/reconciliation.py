"""Reconcile accounts nightly: compare each account with its ledger, turns and hash chain.

    balance        equals the sum of the ledger
    held           equals the sum of the holds of running turns
    each charge    equals the credits of its settled turn, and the other way round
    hash chain     is valid and contains every hash that earlier nights stored

The figures of an account are read with one statement, so they are consistent while turns settle.
The chain is read in short queries. No account is locked, and memory is bounded. Only the number of
running turns, which is no money, is corrected if it is wrong.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import takewhile

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from apps.accounts.adapters import SEND_EMAIL_TASK
from apps.conversations.models import Turn, TurnStatus
from apps.credits.ledger_chain import Fault, verify_chain
from apps.credits.models import Account, AccountCheck, NightlyCheck
from apps.credits.queries import chain_checkpoints, failed_account_checks
from apps.credits.services import lock_account, set_running_turns
from apps.infrastructure.isolation import sum_each
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.clock import database_now
from apps.infrastructure.task_queue import send_task_on_commit

log = get_logger(__name__)

CLAIM_DURATION = timedelta(minutes=30)
"""How long a worker may take for one account before another worker continues."""

_FIGURES = """
WITH charge AS (
  SELECT turn_id, -amount AS credits FROM credits_ledgerentry
  WHERE workspace_id = %(workspace)s AND kind = 'charge'
), settled AS (
  SELECT id, credits_charged AS credits FROM conversations_turn
  WHERE workspace_id = %(workspace)s AND status <> 'running' AND credits_charged > 0
), ledger AS (
  SELECT coalesce(sum(amount), 0)::bigint AS credits, coalesce(max(sequence), 0) AS entries
  FROM credits_ledgerentry WHERE workspace_id = %(workspace)s
)
SELECT account.balance, ledger.credits, account.held,
  (SELECT coalesce(sum(credits_held), 0)::bigint FROM conversations_turn
   WHERE workspace_id = %(workspace)s AND status = 'running'),
  (SELECT coalesce(sum(credits), 0)::bigint FROM charge),
  (SELECT coalesce(sum(credits), 0)::bigint FROM settled),
  ledger.entries,
  (SELECT coalesce(min(coalesce(charge.turn_id, settled.id)), '')
   FROM charge FULL JOIN settled ON settled.id = charge.turn_id
   WHERE charge.credits IS DISTINCT FROM settled.credits)
FROM credits_account AS account, ledger WHERE account.workspace_id = %(workspace)s
"""


MAX_SECONDS = 120.0
"""How long a run takes before it leaves the other accounts to the next."""


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """The figures of an account at one time, from its row, its ledger and its turns."""

    balance: int
    ledger_sum: int
    held: int
    running_holds: int
    charges: int
    turns_charged: int
    entries: int
    differing_turn: str

    def faults(self) -> Iterator[Fault]:
        """Yield the differences between the figures."""
        if self.balance != self.ledger_sum:
            yield Fault(
                f"The balance is {self.balance:,}, the ledger's sum is {self.ledger_sum:,}."
            )
        if self.held != self.running_holds:
            yield Fault(
                f"{self.held:,} credits are held, running turns hold {self.running_holds:,}."
            )
        if self.differing_turn:
            message = f"The charge and the credits of turn {self.differing_turn} differ."
            yield Fault(message, self.differing_turn)


def check_all_accounts(*, now: datetime, max_seconds: float = MAX_SECONDS) -> NightlyCheck | None:
    """Check all accounts, once per UTC day. Return None unless this run has finished that.

    The next run continues after `max_seconds`, or after an interruption when the claim expires.
    Faults are logged, emailed to ADMINS and stored in the rows.
    """
    deadline = time.monotonic() + max_seconds
    night = _claim(now)
    if night is None:
        return None

    def check(workspace_id: str) -> int:
        check_account(night=night, workspace_id=workspace_id)
        NightlyCheck.objects.filter(pk=night.pk).update(claimed_until=Now() + CLAIM_DURATION)
        return 1

    # An account that cannot be checked is logged, is missing in the count, and stops no other.
    in_time = takewhile(lambda _: time.monotonic() < deadline, _unchecked_workspace_ids(night))
    sum_each(in_time, check, event="account_not_checked")
    if time.monotonic() >= deadline and next(_unchecked_workspace_ids(night), None):
        NightlyCheck.objects.filter(pk=night.pk).update(claimed_until=Now())
        return None
    night.accounts = night.checks.count()
    night.faults = failed_account_checks(night).count()
    night.digest = _digest(night)
    if night.faults:
        _email_admins(night)
    night.finished_at = database_now()
    night.save(update_fields=["accounts", "faults", "digest", "finished_at"])
    log.info(
        "books_checked",
        day=night.day.isoformat(),
        accounts=night.accounts,
        faults=night.faults,
        digest=night.digest,
    )
    return night


def check_account(*, night: NightlyCheck, workspace_id: str) -> None:
    """Check one account and store the result."""
    figures = read_figures(workspace_id)
    tip, chain_fault = verify_chain(
        workspace_id, last=figures.entries, checkpoints=chain_checkpoints(workspace_id)
    )
    faults = [*([chain_fault] if chain_fault else []), *figures.faults()]
    check = AccountCheck(
        night=night,
        workspace_id=workspace_id,
        balance=figures.balance,
        ledger_sum=figures.ledger_sum,
        held=figures.held,
        running_holds=figures.running_holds,
        charges=figures.charges,
        turns_charged=figures.turns_charged,
        entries=tip.sequence,
        last_hash=tip.hash,
        fault=" ".join(fault.message for fault in faults),
        fault_row_id=next((fault.row_id for fault in faults if fault.row_id), ""),
    )
    AccountCheck.objects.bulk_create([check], ignore_conflicts=True)
    _correct_running_turns(workspace_id)
    if faults:
        log.error("ledgers_differ", workspace_id=workspace_id, fault=check.fault)


def _correct_running_turns(workspace_id: str) -> None:
    """Count the running turns again if the account has another number."""
    running = Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)
    counted = Account.objects.filter(workspace_id=workspace_id)
    if counted.exclude(running_turns=running.count()).exists():
        with transaction.atomic():
            account = lock_account(workspace_id=workspace_id)
            set_running_turns(account=account, turns=running.count())


def _claim(now: datetime) -> NightlyCheck | None:
    new = NightlyCheck(day=now.date(), claimed_until=database_now() + CLAIM_DURATION)
    NightlyCheck.objects.bulk_create([new], ignore_conflicts=True)
    if night := NightlyCheck.objects.filter(pk=new.pk).first():
        return night
    abandoned = NightlyCheck.objects.filter(
        day=now.date(), finished_at=None, claimed_until__lt=Now()
    )
    if abandoned.update(claimed_until=Now() + CLAIM_DURATION):
        return NightlyCheck.objects.get(day=now.date())
    return None


def _unchecked_workspace_ids(night: NightlyCheck) -> Iterator[str]:
    checked = AccountCheck.objects.filter(night=night, workspace_id=OuterRef("pk"))
    ids = Account.objects.filter(~Exists(checked)).order_by("pk").values_list("pk", flat=True)
    last = ""
    while batch := list(ids.filter(pk__gt=last)[:500]):
        yield from batch
        last = batch[-1]


def read_figures(workspace_id: str) -> AccountFigures:
    """The figures of a workspace's account, of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"workspace": workspace_id})
        return AccountFigures(*cursor.fetchone())


def _digest(night: NightlyCheck) -> str:
    digest = sha256()
    for row in night.checks.order_by("workspace_id").values_list("workspace_id", "last_hash"):
        digest.update(f"{' '.join(row)}\n".encode())
    return digest.hexdigest()


def _email_admins(night: NightlyCheck) -> None:
    lines = [f"{check.workspace}: {check.fault}" for check in failed_account_checks(night)[:50]]
    text = "\n".join(lines) + "\n\nAll of them are in the admin: Credits, Account checks."
    subject = f"{night.faults:,} accounts failed reconciliation"
    for _, address in settings.ADMINS:  # a task each: what one server refuses ends no other's
        send_task_on_commit(SEND_EMAIL_TASK, address, subject, text, "")
