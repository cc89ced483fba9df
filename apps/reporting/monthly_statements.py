"""Monthly statements of a workspace's credits.

All amounts come from the ledger: the opening balance is the sum of all earlier entries. What a
charge was for (model, tokens, price) comes from its turn, which never changes after it settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from apps.conversations.models import Turn
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.prices import Price
from apps.reporting.months import Month

MAX_CHARGE_LINES = 100
"""Charges that a page lists one by one; more are summed up by day. The CSV has all of them."""
MAX_OTHER_LINES = 500
"""Other entries that a page lists."""


@dataclass(frozen=True, slots=True)
class Movement:
    """The number and sum of the month's entries of one kind."""

    kind: EntryKind
    entries: int
    credits: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A ledger entry and its turn, if it has one."""

    entry: LedgerEntry
    turn: Turn | None


@dataclass(frozen=True, slots=True)
class DailyCharges:
    """The charges of one day."""

    day: date
    turns: int
    credits: int


@dataclass(frozen=True, slots=True)
class ModelCharges:
    """The charges for one model at one price. A price change makes another row."""

    model_name: str
    price: Price
    turns: int
    input_tokens: int
    output_tokens: int
    credits: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A monthly statement. `charges` is empty if there are too many; `days` has their sums."""

    month: Month
    opening: int
    movements: list[Movement]
    others: list[StatementLine]
    models: list[ModelCharges]
    days: list[DailyCharges]
    charges: list[StatementLine]

    @property
    def closing(self) -> int:
        return self.opening + sum(movement.credits for movement in self.movements)

    @property
    def turns(self) -> int:
        return sum(day.turns for day in self.days)

    @property
    def charged(self) -> int:
        return sum(day.credits for day in self.days)

    @property
    def unlisted(self) -> int:
        """The number of other entries that are not listed in `others`."""
        entries = sum(each.entries for each in self.movements if each.kind != EntryKind.CHARGE)
        return entries - len(self.others)


def months_for(workspace_id: str) -> list[Month]:
    """Return the months from the current one back to the workspace's first ledger entry."""
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id)
    first = entries.order_by("created_at").values_list("created_at", flat=True).first()
    now = timezone.now()
    oldest = Month.containing(first or now)
    months = [Month.containing(now)]
    while months[-1] > oldest:
        months.append(months[-1].previous())
    return months


def build_statement(workspace_id: str, month: Month) -> Statement:
    """Return the statement of a month, with lines limited to what a page can show."""
    entries = entries_for_month(workspace_id, month)
    charges = entries.filter(kind=EntryKind.CHARGE)
    days = _daily_charges(workspace_id, month)
    lists_charges = sum(day.turns for day in days) <= MAX_CHARGE_LINES
    others = list(entries.exclude(kind=EntryKind.CHARGE)[:MAX_OTHER_LINES])
    return Statement(
        month=month,
        opening=balance_before(workspace_id, month.start),
        movements=_movements(entries),
        others=lines_for_entries(workspace_id, others),
        models=_model_charges(workspace_id, month),
        days=days,
        charges=lines_for_entries(workspace_id, list(charges)) if lists_charges else [],
    )


def balance_before(workspace_id: str, time: datetime) -> int:
    """Return the sum of all entries before a time."""
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id, created_at__lt=time)
    return int(entries.aggregate(sum=Sum("amount"))["sum"] or 0)


def entries_for_month(workspace_id: str, month: Month) -> QuerySet[LedgerEntry]:
    """Return the month's entries in the order of the ledger."""
    entries = LedgerEntry.objects.filter(
        workspace_id=workspace_id, created_at__gte=month.start, created_at__lt=month.end
    )
    return entries.order_by("created_at", "sequence")


def lines_for_entries(workspace_id: str, entries: Sequence[LedgerEntry]) -> list[StatementLine]:
    """Return the entries with their turns, which one query loads."""
    ids = [entry.turn_id for entry in entries if entry.turn_id]
    turns = Turn.objects.filter(workspace_id=workspace_id).defer("text_so_far", "delta_lengths")
    found = turns.in_bulk(ids)
    return [StatementLine(entry, found.get(entry.turn_id or "")) for entry in entries]


def lines_after(
    workspace_id: str, month: Month, after: LedgerEntry | None, *, limit: int
) -> list[StatementLine]:
    """Return the month's next lines after an entry, or from the start."""
    entries = entries_for_month(workspace_id, month)
    if after is not None:
        # The first condition is the one that the index can use.
        entries = entries.filter(created_at__gte=after.created_at).filter(
            Q(created_at__gt=after.created_at) | Q(sequence__gt=after.sequence)
        )
    return lines_for_entries(workspace_id, list(entries[:limit]))


def _movements(entries: QuerySet[LedgerEntry]) -> list[Movement]:
    rows = entries.order_by().values_list("kind").annotate(Count("id"), Sum("amount"))
    totals = {kind: (count, credits) for kind, count, credits in rows}
    return [Movement(kind, *map(int, totals[kind])) for kind in EntryKind if kind in totals]


_DAILY_CHARGES = """
SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), -sum(amount)
FROM credits_ledgerentry
WHERE workspace_id = %(workspace)s AND kind = 'charge'
  AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY 1 ORDER BY 1
"""
_MODEL_CHARGES = """
SELECT turn.model_name, turn.credits_per_reply, turn.credits_per_1k_input,
  turn.credits_per_1k_output, count(*), coalesce(sum(turn.input_tokens), 0),
  coalesce(sum(turn.output_tokens), 0), -sum(entry.amount) AS credits
FROM credits_ledgerentry AS entry
JOIN conversations_turn AS turn
  ON turn.id = entry.turn_id AND turn.workspace_id = entry.workspace_id
WHERE entry.workspace_id = %(workspace)s AND entry.kind = 'charge'
  AND entry.created_at >= %(start)s AND entry.created_at < %(end)s
GROUP BY 1, 2, 3, 4 ORDER BY credits DESC, 1, 2, 3, 4
"""


def _daily_charges(workspace_id: str, month: Month) -> list[DailyCharges]:
    rows = _execute(_DAILY_CHARGES, workspace_id, month)
    return [DailyCharges(day, turns, int(credits)) for day, turns, credits in rows]


def _model_charges(workspace_id: str, month: Month) -> list[ModelCharges]:
    return [
        ModelCharges(row[0], Price(*row[1:4]), *map(int, row[4:]))
        for row in _execute(_MODEL_CHARGES, workspace_id, month)
    ]


def _execute(statement: str, workspace_id: str, month: Month) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"workspace": workspace_id, "start": month.start, "end": month.end}
        )
        return list(cursor.fetchall())
