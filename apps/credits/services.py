"""Every way in which credits move.

Balance and held change in one place, `_update_account`: a single conditional UPDATE that either keeps
`0 ≤ held ≤ balance` or touches nothing. Whatever changes the balance writes its ledger entry in
the same transaction. What gives credits also makes a lot of them (`lots`), by which they are used
and expire.

    grant, adjust   balance ± n                entry
    reverse         balance ∓ n                entry   that names the one it undoes
    expire          balance − n                entry   what a lot that is over has left
    hold            held + n                   —       when a turn opens
    charge          held − h, balance − c      entry   when it settles; c ≤ h
    release         held − h                   —       when it settles unpaid
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from apps.accounts.models import User
from apps.credits.errors import InsufficientCredits
from apps.credits.lots import allocate_usage, create_lot, expired_lots, void_lot_of
from apps.credits.models import CREDIT_KINDS, Account, Category, EntryKind, LedgerEntry
from apps.credits.models import MAX_CREDITS as MAX_CREDITS
from apps.credits.queries import Balance

_UPDATE_ACCOUNT = """
UPDATE credits_account SET balance = balance + %(balance)s, held = held + %(held)s
WHERE workspace_id = %(workspace)s
  AND held + %(held)s BETWEEN 0 AND balance + %(balance)s
RETURNING balance, held
"""


@transaction.atomic
def grant(
    *,
    workspace_id: str,
    credits: int,
    reason: str,
    kind: EntryKind = EntryKind.GRANT,
    category: str = "",
    reference: str = "",
    expires_at: datetime | None = None,
    created_by: User | None = None,
    from_ip: str | None = None,
    period: date | None = None,
) -> LedgerEntry:
    """Give credits (at least 1), opening the account if there is none. Raises ValueError.

    What is left of them at `expires_at` expires; without it they never do. `period` is the first
    day of the plan's month that they are for: PostgreSQL refuses a second grant for it.
    """
    if credits < 1:
        raise ValueError("Give at least 1 credit.")
    if kind not in CREDIT_KINDS:
        raise ValueError(f"An entry of the kind {kind} does not give credits.")
    _validate(credits, reason, reference)
    open_account(workspace_id=workspace_id)
    return _post_entry(
        workspace_id,
        kind,
        credits,
        reason=reason,
        category=category,
        reference=reference,
        expires_at=expires_at,
        created_by=created_by,
        from_ip=from_ip,
        period=period,
    )


@transaction.atomic
def adjust(
    *,
    workspace_id: str,
    credits: int,
    reason: str,
    category: str = "",
    reference: str = "",
    expires_at: datetime | None = None,
    created_by: User | None = None,
    from_ip: str | None = None,
) -> LedgerEntry:
    """Give or (negative) take credits to put something right; what is given may expire.

    Raises ValueError for 0 or too many, InsufficientCredits where more would be taken than is
    free.
    """
    if credits == 0:
        raise ValueError("An adjustment of 0 credits changes nothing.")
    if credits < 0 and expires_at is not None:
        raise ValueError("Credits that are taken do not expire.")
    _validate(credits, reason, reference)
    open_account(workspace_id=workspace_id)
    return _post_entry(
        workspace_id,
        EntryKind.ADJUSTMENT,
        credits,
        reason=reason,
        category=category,
        reference=reference,
        expires_at=expires_at,
        created_by=created_by,
        from_ip=from_ip,
    )


@transaction.atomic
def reverse(
    *,
    workspace_id: str,
    entry_id: str,
    reason: str,
    reference: str = "",
    created_by: User | None = None,
    from_ip: str | None = None,
) -> LedgerEntry:
    """Undo an entry by a contrary one that names it; of a charge, that is a refund.

    Raises ValueError for an entry that is absent, undone before, or undoes another itself;
    InsufficientCredits where what it gave is spent or held.
    """
    lock_account(workspace_id=workspace_id)
    entry = LedgerEntry.objects.filter(workspace_id=workspace_id, id=entry_id).first()
    if entry is None:
        raise ValueError("This workspace's ledger has no such entry.")
    if entry.reverses_id is not None:
        raise ValueError("An entry that undoes another is not undone. Post an adjustment.")
    if LedgerEntry.objects.filter(reverses_id=entry_id).exists():
        raise ValueError("This entry has been undone before.")
    _validate(entry.amount, reason, reference)
    return _post_entry(
        workspace_id,
        EntryKind.REFUND if entry.kind == EntryKind.CHARGE else EntryKind.ADJUSTMENT,
        -entry.amount,
        reason=reason,
        category=Category.CORRECTION,
        reference=reference,
        turn_id=entry.turn_id,
        reverses=entry,
        created_by=created_by,
        from_ip=from_ip,
    )


def _validate(credits: int, reason: str, reference: str) -> None:
    if abs(credits) > MAX_CREDITS:
        raise ValueError(f"Move at most {MAX_CREDITS:,} credits at a time.")
    if len(reason) > 500:
        raise ValueError("Give a reason of at most 500 characters.")
    if len(reference) > 200:
        raise ValueError("Give a reference of at most 200 characters.")


def hold(*, workspace_id: str, credits: int) -> None:
    """Set credits aside for a turn. Raises InsufficientCredits, having changed nothing."""
    if credits < 0:
        raise ValueError("A hold of less than 0 credits would give credits back.")
    if credits:
        _update_account(workspace_id, held=credits)


def release(*, workspace_id: str, credits: int) -> None:
    """Give back what a turn held."""
    if credits:
        _update_account(workspace_id, held=-credits)


@transaction.atomic
def charge(*, workspace_id: str, held: int, credits: int, turn_id: str) -> LedgerEntry | None:
    """Take a settled turn's price out of what it held and give back the rest.

    A price above the hold is a promise broken by us, so the hold is the most that is taken.
    Returns the entry, or None for a turn that cost nothing.
    """
    taken = min(credits, held)
    if taken == 0:
        release(workspace_id=workspace_id, credits=held)
        return None
    return _post_entry(workspace_id, EntryKind.CHARGE, -taken, held=-held, turn_id=turn_id)


@transaction.atomic
def expire_lots(*, workspace_id: str, now: datetime) -> list[LedgerEntry]:
    """Take what is left, and not held, of the lots that are over by now."""
    account = lock_account(workspace_id=workspace_id)
    entries = []
    for lot, credits in expired_lots(account, now=now):
        lot.remaining -= credits
        lot.save(update_fields=["remaining"])
        reason = f"Expired: {lot.entry.reason}" if lot.entry else "Expired"
        entries.append(_post_entry(workspace_id, EntryKind.EXPIRY, -credits, reason=reason[:500]))
    return entries


def open_account(*, workspace_id: str) -> Account:
    """The workspace's account, made at its first use."""
    return Account.objects.get_or_create(workspace_id=workspace_id)[0]


def lock_account(*, workspace_id: str) -> Account:
    """Keep other turns of the workspace from opening and settling until the transaction ends.

    Whoever locks other rows of turns as well takes this lock first.
    """
    open_account(workspace_id=workspace_id)
    return Account.objects.select_for_update(no_key=True).get(pk=workspace_id)


def _post_entry(
    workspace_id: str,
    kind: EntryKind,
    amount: int,
    *,
    held: int = 0,
    period: date | None = None,
    **named: Any,
) -> LedgerEntry:
    undone: LedgerEntry | None = named.get("reverses")
    if amount > 0 or undone:
        allocate_usage(lock_account(workspace_id=workspace_id))
    after = _update_account(workspace_id, balance=amount, held=held)
    entry = LedgerEntry.objects.create(
        workspace_id=workspace_id,
        kind=kind,
        amount=amount,
        balance_after=after.balance,
        **named,
    )
    if amount > 0:
        create_lot(entry, period=period)
    elif undone:
        void_lot_of(undone)
    return entry


def _update_account(workspace_id: str, *, balance: int = 0, held: int = 0) -> Balance:
    with connection.cursor() as cursor:
        cursor.execute(
            _UPDATE_ACCOUNT, {"workspace": workspace_id, "balance": balance, "held": held}
        )
        row = cursor.fetchone()
    if row is None:
        raise InsufficientCredits
    return Balance(*row)
