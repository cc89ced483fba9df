"""What is left of each giving entry, so that credits are used in the order of their expiry.

A turn that opens or settles knows nothing of lots: it moves the balance alone. What was spent is
allotted when somebody next looks, before lots are added or expire: to the lot that expires
soonest first, to those that never do last. No lot was added since the look before, so this is
what charging each turn to a lot would have come to.

Whoever calls this holds the lock on the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from django.db.models import F, QuerySet

from apps.credits.models import Account, LedgerEntry, Lot


def usable_lots_for(workspace_id: str) -> QuerySet[Lot]:
    """The lots in which something may be left, in the order in which they are used."""
    lots = Lot.objects.filter(workspace_id=workspace_id, remaining__gt=0)
    return lots.order_by(F("expires_at").asc(nulls_last=True), "id")


def remaining_in_lots(lots: Iterable[Lot], *, balance: int) -> list[tuple[Lot, int]]:
    """What is left in each of these lots once what was spent is taken from them, in their order."""
    lots = list(lots)
    spent = sum(lot.remaining for lot in lots) - balance
    found = []
    for lot in lots:
        taken = min(lot.remaining, max(0, spent))
        spent -= taken
        found.append((lot, lot.remaining - taken))
    return found


def allocate_usage(account: Account) -> list[Lot]:
    """Take what was spent since the last look from the lots; those in which something is left.

    What the balance has and no lot explains was there before lots were kept: it never expires.
    """
    found = remaining_in_lots(usable_lots_for(account.workspace_id), balance=account.balance)
    touched = []
    for lot, left in found:
        if lot.remaining != left:
            lot.remaining = left
            touched.append(lot)
    Lot.objects.bulk_update(touched, ["remaining"])
    lots = [lot for lot, left in found if left]
    unexplained = account.balance - sum(lot.remaining for lot in lots)
    if unexplained > 0:
        given = {"given": unexplained, "remaining": unexplained}
        lots.append(Lot.objects.create(workspace_id=account.workspace_id, **given))
    return lots


def create_lot(entry: LedgerEntry, *, period: date | None = None) -> Lot:
    """The lot of an entry that gives. `allocate_usage` comes first, and then the entry."""
    return Lot.objects.create(
        workspace_id=entry.workspace_id,
        entry=entry,
        given=entry.amount,
        remaining=entry.amount,
        expires_at=entry.expires_at,
        period=period,
    )


def void_lot_of(entry: LedgerEntry) -> None:
    """An entry that gave is undone: its own lot goes first, whatever expires sooner.

    What is not there any more is taken from the others at the next look, as what was spent.
    """
    Lot.objects.filter(workspace_id=entry.workspace_id, entry=entry).update(remaining=0)


def expired_lots(account: Account, *, now: datetime) -> Iterator[tuple[Lot, int]]:
    """The lots that are over, and how much each loses: what is left of it and not held.

    Running turns hold what would be used first. What they hold of a lot that is over stays until
    they settle, and is then used or lost.
    """
    held = account.held
    for lot in allocate_usage(account):
        if lot.expires_at is None or lot.expires_at > now:
            return
        kept = min(lot.remaining, held)
        held -= kept
        if lot.remaining > kept:
            yield lot, lot.remaining - kept
