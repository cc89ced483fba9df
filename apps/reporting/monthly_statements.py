"""A workspace's month: what it had, every movement, what was left. Months are UTC's.

All figures come from the ledger: the opening balance is the sum of what came before, the closing
one that and the month's movements. What a charge paid for (model, tokens, the price then) comes
from its turn, where it can never change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from apps.conversations.models import Turn
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.prices import Price

MAX_CHARGE_LINES = 100
"""Charges that a page lists one by one; more are told by day. The CSV has every line."""
MAX_OTHER_LINES = 500
"""Other movements that a page lists."""

_FORM = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of UTC's calendar."""

    year: int
    number: int

    @classmethod
    def parse(cls, name: str) -> Month:
        """The month of a name like 2026-11. Raises ValueError."""
        if not _FORM.match(name) or name < "1970":
            raise ValueError("Name a month like 2026-11.")
        return cls(int(name[:4]), int(name[5:]))

    @classmethod
    def containing(cls, moment: datetime) -> Month:
        """The month in which a moment falls."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def title(self) -> str:
        return f"{date(self.year, self.number, 1):%B %Y}"

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The moment at which the next month begins."""
        return self.next().start

    def next(self) -> Month:
        after = self.year * 12 + self.number
        return Month(after // 12, after % 12 + 1)

    def previous(self) -> Month:
        before = self.year * 12 + self.number - 2
        return Month(before // 12, before % 12 + 1)


@dataclass(frozen=True, slots=True)
class Movement:
    """All entries of a kind in the month."""

    kind: EntryKind
    entries: int
    credits: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """An entry, and the turn that it names: where it led, what it was and what it cost then."""

    entry: LedgerEntry
    turn: Turn | None


@dataclass(frozen=True, slots=True)
class DailyCharges:
    """What a day's turns were charged."""

    day: date
    turns: int
    credits: int


@dataclass(frozen=True, slots=True)
class ModelCharges:
    """What turns with a model were charged at one price. A price that changed makes two of them."""

    model_name: str
    price: Price
    turns: int
    input_tokens: int
    output_tokens: int
    credits: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A month of a workspace, ready to be shown."""

    month: Month
    opening: int
    movements: list[Movement]
    others: list[StatementLine]
    models: list[ModelCharges]
    days: list[DailyCharges]
    charges: list[StatementLine]

    @property
    def moved(self) -> int:
        return sum(movement.credits for movement in self.movements)

    @property
    def closing(self) -> int:
        return self.opening + self.moved

    @property
    def turns(self) -> int:
        return sum(day.turns for day in self.days)

    @property
    def charged(self) -> int:
        return sum(day.credits for day in self.days)

    @property
    def unlisted(self) -> int:
        """Other movements beyond those that a page lists."""
        moved = sum(each.entries for each in self.movements if each.kind != EntryKind.CHARGE)
        return moved - len(self.others)


def months_for(workspace_id: str) -> list[Month]:
    """The months since the workspace's first entry, newest first; the present one at least."""
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id)
    first = entries.order_by("created_at").values_list("created_at", flat=True).first()
    now = timezone.now()
    month, oldest = Month.containing(now), Month.containing(first or now)
    found = [month]
    while month > oldest:
        month = month.previous()
        found.append(month)
    return found


def build_statement(workspace_id: str, month: Month) -> Statement:
    """The month's statement: as many rows as a page bears, and all of the figures."""
    entries = entries_for_month(workspace_id, month)
    charges = entries.filter(kind=EntryKind.CHARGE)
    days = _days(workspace_id, month)
    few = sum(day.turns for day in days) <= MAX_CHARGE_LINES
    others = list(entries.exclude(kind=EntryKind.CHARGE)[:MAX_OTHER_LINES])
    return Statement(
        month=month,
        opening=balance_before(workspace_id, month.start),
        movements=_movements(entries),
        others=lines_for_entries(workspace_id, others),
        models=_models(workspace_id, month),
        days=days,
        charges=lines_for_entries(workspace_id, list(charges)) if few else [],
    )


def balance_before(workspace_id: str, moment: datetime) -> int:
    """The sum of all entries before a moment."""
    before = LedgerEntry.objects.filter(workspace_id=workspace_id, created_at__lt=moment)
    return int(before.aggregate(sum=Sum("amount"))["sum"] or 0)


def entries_for_month(workspace_id: str, month: Month) -> QuerySet[LedgerEntry]:
    """The month's entries in order."""
    entries = LedgerEntry.objects.filter(
        workspace_id=workspace_id, created_at__gte=month.start, created_at__lt=month.end
    )
    return entries.order_by("created_at", "sequence")


def lines_for_entries(workspace_id: str, entries: Sequence[LedgerEntry]) -> list[StatementLine]:
    """The entries with their turns: one statement for all of them."""
    turns = _turns(workspace_id, [entry.turn_id for entry in entries if entry.turn_id])
    return [StatementLine(entry, turns.get(entry.turn_id or "")) for entry in entries]


def lines_after(
    workspace_id: str, month: Month, after: LedgerEntry | None, *, limit: int
) -> list[StatementLine]:
    """The month's lines behind the last one that was read, for whoever reads all of them."""
    entries = entries_for_month(workspace_id, month)
    if after is not None:
        # The first condition is what the index begins to read at.
        entries = entries.filter(created_at__gte=after.created_at).filter(
            Q(created_at__gt=after.created_at) | Q(sequence__gt=after.sequence)
        )
    return lines_for_entries(workspace_id, list(entries[:limit]))


def _turns(workspace_id: str, ids: Sequence[str]) -> Mapping[str, Turn]:
    turns = Turn.objects.filter(workspace_id=workspace_id, id__in=ids)
    return {turn.id: turn for turn in turns.defer("text_so_far", "delta_lengths")}


def _movements(entries: QuerySet[LedgerEntry]) -> list[Movement]:
    rows = entries.order_by().values_list("kind").annotate(Count("id"), Sum("amount"))
    found = {kind: (count, credits) for kind, count, credits in rows}
    return [Movement(kind, *map(int, found[kind])) for kind in EntryKind if kind in found]


_DAYS = """
SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), -sum(amount)
FROM credits_ledgerentry
WHERE workspace_id = %(workspace)s AND kind = 'charge'
  AND created_at >= %(begins)s AND created_at < %(ends)s
GROUP BY 1 ORDER BY 1
"""
_MODELS = """
SELECT turn.model_name, turn.credits_per_reply, turn.credits_per_1k_input,
  turn.credits_per_1k_output, count(*), coalesce(sum(turn.input_tokens), 0),
  coalesce(sum(turn.output_tokens), 0), -sum(entry.amount) AS credits
FROM credits_ledgerentry AS entry
JOIN conversations_turn AS turn
  ON turn.id = entry.turn_id AND turn.workspace_id = entry.workspace_id
WHERE entry.workspace_id = %(workspace)s AND entry.kind = 'charge'
  AND entry.created_at >= %(begins)s AND entry.created_at < %(ends)s
GROUP BY 1, 2, 3, 4 ORDER BY credits DESC, 1, 2, 3, 4
"""


def _days(workspace_id: str, month: Month) -> list[DailyCharges]:
    rows = _rows(_DAYS, workspace_id, month)
    return [DailyCharges(day, turns, int(credits)) for day, turns, credits in rows]


def _models(workspace_id: str, month: Month) -> list[ModelCharges]:
    return [
        ModelCharges(name, Price(*parts), *map(int, figures))
        for name, *parts_and_figures in _rows(_MODELS, workspace_id, month)
        for parts, figures in [(parts_and_figures[:3], parts_and_figures[3:])]
    ]


def _rows(statement: str, workspace_id: str, month: Month) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"workspace": workspace_id, "begins": month.start, "ends": month.end}
        )
        yield from cursor.fetchall()
