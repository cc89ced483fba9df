"""Every operation that moves credits.

`_update_account` is the only ORM code that changes balance and held: one conditional UPDATE that
keeps `0 ≤ held ≤ balance` or changes nothing. A change of the balance writes its ledger entry in
the same transaction. An entry that adds credits also creates a lot (see `lots`), by which the
credits are used in the order of their expiry. `sql.py` has the same for whole batches of turns.

    grant, adjust      balance ± n             entry
    reverse            balance ∓ n             entry that names the one it reverses
    expire_lots        balance − n             entry for the unused rest of an expired lot
    hold               held + n                when a turn opens
    charge             held − h, balance − c   entry, when a turn settles; c ≤ h
    release            held − h                when a turn settles without a charge
    charge_embedding   balance − c             entry, when passages were embedded; c ≤ b − h
"""

from datetime import date, datetime
from typing import Any, TypedDict, Unpack

from django.db import connection, transaction

from apps.accounts.models import User
from apps.credits.errors import InsufficientCredits
from apps.credits.lots import allocate_usage, create_lot, expired_lots, void_lot_of
from apps.credits.models import (
    CREDIT_KINDS,
    MAX_CREDITS,
    Account,
    Category,
    EntryApproval,
    EntryKind,
    LedgerEntry,
)
from apps.credits.queries import Balance
from apps.credits.two_person_rule import require_one_person_may_move

_UPDATE_ACCOUNT = """
UPDATE credits_account SET balance = balance + %(balance)s, held = held + %(held)s
WHERE workspace_id = %(workspace)s
  AND held + %(held)s BETWEEN 0 AND balance + %(balance)s
RETURNING balance, held
"""

_REFUNDED_KINDS = (EntryKind.CHARGE, EntryKind.EMBEDDING)


class EntryDetails(TypedDict, total=False):
    """Optional columns of a ledger entry. Added credits that are unused at `expires_at` expire.

    `created_by` is the member of staff who moves the credits, `approved_by` the second one. Without
    a second one, every function here raises ApprovalRequired above what one person may move.
    """

    category: str
    reference: str
    expires_at: datetime | None
    created_by: User | None
    approved_by: User | None
    from_ip: str | None


@transaction.atomic
def grant(
    *,
    workspace_id: str,
    credits: int,
    reason: str,
    kind: EntryKind = EntryKind.GRANT,
    period: date | None = None,
    **details: Unpack[EntryDetails],
) -> LedgerEntry:
    """Add credits (at least 1), opening the account if there is none. Raises ValueError.

    `period` is the first day of the plan's month that a monthly grant is for: a unique constraint
    rejects a second grant for it.
    """
    if credits < 1:
        raise ValueError("Give at least 1 credit.")
    if kind not in CREDIT_KINDS:
        raise ValueError(f"An entry of the kind {kind} does not give credits.")
    _validate(credits, reason, details.get("reference", ""))
    open_account(workspace_id=workspace_id)
    return _post_entry(workspace_id, kind, credits, period=period, reason=reason, **details)


@transaction.atomic
def adjust(
    *, workspace_id: str, credits: int, reason: str, **details: Unpack[EntryDetails]
) -> LedgerEntry:
    """Add or (negative) deduct credits to correct something, opening the account if there is none.

    Raises ValueError, or InsufficientCredits if more would be deducted than is free.
    """
    if credits == 0:
        raise ValueError("An adjustment of 0 credits changes nothing.")
    if credits < 0 and details.get("expires_at") is not None:
        raise ValueError("Deducted credits can't have an expiry.")
    _validate(credits, reason, details.get("reference", ""))
    open_account(workspace_id=workspace_id)
    return _post_entry(workspace_id, EntryKind.ADJUSTMENT, credits, reason=reason, **details)


@transaction.atomic
def reverse(
    *,
    workspace_id: str,
    entry_id: str,
    reason: str,
    reference: str = "",
    created_by: User | None = None,
    approved_by: User | None = None,
    from_ip: str | None = None,
) -> LedgerEntry:
    """Reverse an entry by one of the opposite amount; the reversal of what was charged is a refund.

    Raises ValueError if the entry does not exist, was reversed before or is itself a reversal;
    InsufficientCredits if the credits it added are spent or held.
    """
    lock_account(workspace_id=workspace_id)
    entry = LedgerEntry.objects.filter(workspace_id=workspace_id, id=entry_id).first()
    if entry is None:
        raise ValueError("Entry not found in this workspace's ledger.")
    if entry.reverses_id is not None:
        raise ValueError("A reversal can't be reversed. Post an adjustment instead.")
    if LedgerEntry.objects.filter(reverses_id=entry_id).exists():
        raise ValueError("This entry was already reversed.")
    _validate(entry.amount, reason, reference)
    return _post_entry(
        workspace_id,
        EntryKind.REFUND if entry.kind in _REFUNDED_KINDS else EntryKind.ADJUSTMENT,
        -entry.amount,
        reason=reason,
        category=Category.CORRECTION,
        reference=reference,
        turn_id=entry.turn_id,
        reverses=entry,
        created_by=created_by,
        approved_by=approved_by,
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
    """Set credits aside for a turn. Raises InsufficientCredits."""
    if credits < 0:
        raise ValueError("A hold of less than 0 credits would give credits back.")
    if credits:
        _update_account(workspace_id, held=credits)


def release(*, workspace_id: str, credits: int) -> None:
    """Release the hold of a turn."""
    if credits:
        _update_account(workspace_id, held=-credits)


@transaction.atomic
def charge(*, workspace_id: str, held: int, credits: int, turn_id: str) -> LedgerEntry | None:
    """Charge a settled turn's price and release the rest of its hold.

    Charges at most the hold, which the caller was promised. Returns the entry, or None for a turn
    that cost nothing.
    """
    charged = min(credits, held)
    if charged == 0:
        release(workspace_id=workspace_id, credits=held)
        return None
    return _post_entry(workspace_id, EntryKind.CHARGE, -charged, held=-held, turn_id=turn_id)


@transaction.atomic
def charge_embedding(
    *, workspace_id: str, credits: int, reason: str, reference: str
) -> LedgerEntry | None:
    """Charge what was embedded, at most the free credits: turns keep what they hold.

    Locks the account. Returns the entry, or None if nothing is due or free.
    """
    account = lock_account(workspace_id=workspace_id)
    charged = min(credits, account.balance - account.held)
    if charged <= 0:
        return None
    return _post_entry(
        workspace_id, EntryKind.EMBEDDING, -charged, reason=reason, reference=reference
    )


@transaction.atomic
def expire_lots(*, workspace_id: str, now: datetime) -> list[LedgerEntry]:
    """Deduct the unused credits of expired lots, except those that running turns hold."""
    account = lock_account(workspace_id=workspace_id)
    entries = []
    for lot, credits in expired_lots(account, now=now):
        lot.remaining -= credits
        lot.save(update_fields=["remaining"])
        reason = f"Expired: {lot.entry.reason}" if lot.entry else "Expired"
        entries.append(_post_entry(workspace_id, EntryKind.EXPIRY, -credits, reason=reason[:500]))
    return entries


def open_account(*, workspace_id: str) -> Account:
    """Return the workspace's account, creating it at its first use."""
    return Account.objects.get_or_create(workspace_id=workspace_id)[0]


def set_running_turns(*, account: Account, turns: int) -> None:
    """Correct the number of running turns of a locked account."""
    account.running_turns = turns
    account.save(update_fields=["running_turns"])


def lock_account(*, workspace_id: str) -> Account:
    """Lock the account: no turn of the workspace opens or settles until the transaction ends.

    To prevent deadlocks, lock it before any other row of the workspace's turns.
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
    created_by: User | None = None,
    approved_by: User | None = None,
    **columns: Any,
) -> LedgerEntry:
    reversed_entry: LedgerEntry | None = columns.get("reverses")
    if created_by is not None and approved_by is None:
        lock_account(workspace_id=workspace_id)
        require_one_person_may_move(user=created_by, workspace_id=workspace_id, credits=amount)
    if amount > 0 or reversed_entry:
        allocate_usage(lock_account(workspace_id=workspace_id))
    after = _update_account(workspace_id, balance=amount, held=held)
    entry = LedgerEntry.objects.create(
        workspace_id=workspace_id,
        kind=kind,
        amount=amount,
        balance_after=after.balance,
        created_by=created_by,
        **columns,
    )
    if approved_by is not None:
        EntryApproval.objects.create(
            entry=entry, workspace_id=workspace_id, approved_by=approved_by
        )
    if amount > 0:
        create_lot(entry, period=period)
    elif reversed_entry:
        void_lot_of(reversed_entry)
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
