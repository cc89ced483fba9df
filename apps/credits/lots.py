"""FIFO credit lots: how much remains of each entry that added credits, and when it expires.

Turns change only the balance, not the lots, which keeps the hot path cheap. `allocate_usage`
allocates the credits spent since its last call to the lots: those that expire soonest first, those
that never expire last. It runs before a lot is added or expires, so the result is the same as
charging each turn to a lot.

Callers must hold the lock on the account.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from django.db.models import F, QuerySet

from apps.credits.models import Account, LedgerEntry, Lot


def usable_lots_for(workspace_id: str) -> QuerySet[Lot]:
    """Return the lots that may have credits left, in the order in which they are used."""
    lots = Lot.objects.filter(workspace_id=workspace_id, remaining__gt=0)
    return lots.order_by(F("expires_at").asc(nulls_last=True), "id")


def remaining_in_lots(lots: Iterable[Lot], *, balance: int) -> list[tuple[Lot, int]]:
    """Return each lot with what remains of it after the spent credits are taken in this order."""
    lots = list(lots)
    spent = sum(lot.remaining for lot in lots) - balance
    remaining = []
    for lot in lots:
        used = min(lot.remaining, max(0, spent))
        spent -= used
        remaining.append((lot, lot.remaining - used))
    return remaining


def allocate_usage(account: Account) -> list[Lot]:
    """Deduct the credits spent since the last call from the lots; return those with any left.

    Credits of the balance that are in no lot predate lots: they become a lot that never expires.
    """
    remaining = remaining_in_lots(usable_lots_for(account.workspace_id), balance=account.balance)
    changed = []
    for lot, left in remaining:
        if lot.remaining != left:
            lot.remaining = left
            changed.append(lot)
    Lot.objects.bulk_update(changed, ["remaining"])
    lots = [lot for lot, left in remaining if left]
    without_lot = account.balance - sum(lot.remaining for lot in lots)
    if without_lot > 0:
        amounts = {"given": without_lot, "remaining": without_lot}
        lots.append(Lot.objects.create(workspace_id=account.workspace_id, **amounts))
    return lots


def create_lot(entry: LedgerEntry, *, period: date | None = None) -> Lot:
    """Create the lot of an entry that adds credits. Call `allocate_usage` before the entry."""
    return Lot.objects.create(
        workspace_id=entry.workspace_id,
        entry=entry,
        given=entry.amount,
        remaining=entry.amount,
        expires_at=entry.expires_at,
        period=period,
    )


def void_lot_of(entry: LedgerEntry) -> None:
    """Empty the lot of a reversed entry. `allocate_usage` deducts its spent part from others."""
    Lot.objects.filter(workspace_id=entry.workspace_id, entry=entry).update(remaining=0)


def expired_lots(account: Account, *, now: datetime) -> Iterator[tuple[Lot, int]]:
    """Yield the expired lots and how many credits each loses: what remains and is not held.

    Running turns hold the credits that would be used first. The held part of an expired lot stays
    until they settle, and is then used or lost.
    """
    held = account.held
    for lot in allocate_usage(account):
        if lot.expires_at is None or lot.expires_at > now:
            return
        on_hold = min(lot.remaining, held)
        held -= on_hold
        if lot.remaining > on_hold:
            yield lot, lot.remaining - on_hold
