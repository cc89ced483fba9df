"""Monthly statements as CSV files."""

from datetime import datetime

from django.http import StreamingHttpResponse

from apps.core.csv_text import csv_lines
from apps.core.dates import usable_to_iso
from apps.credits.models import LedgerEntry
from apps.reporting.csv_download import CSV_BATCH_SIZE, Batch, stream_csv
from apps.reporting.monthly_statements import StatementLine, balance_before, lines_after
from apps.reporting.months import Month
from apps.workspaces.models import Workspace

COLUMNS = (
    "number",
    "time",
    "kind",
    "credits",
    "balance after",
    "turn",
    "conversation",
    "model",
    "tokens in",
    "tokens out",
    "credits a reply",
    "credits per 1,000 tokens in",
    "credits per 1,000 tokens out",
    "category",
    "reason",
    "reference",
    "usable to (UTC)",
    "undoes",
    "entry",
    "hash",
)


def statement_csv_response(workspace: Workspace, month: Month) -> StreamingHttpResponse:
    """Return a response that streams all ledger entries of a month, oldest first.

    The first line is the opening balance and the last one the closing balance. The credits of the
    lines between them add up to the difference.
    """

    def batch(cursor: tuple[LedgerEntry, int] | None) -> Batch[tuple[LedgerEntry, int]]:
        rows: list[tuple[object, ...]] = []
        if cursor is None:
            last, balance = None, balance_before(workspace.id, month.start)
            rows.append(_balance_cells("opening balance", month.start, balance))
        else:
            last, balance = cursor
        lines = lines_after(workspace.id, month, last, limit=CSV_BATCH_SIZE)
        rows += [_line_cells(line) for line in lines]
        balance += sum(line.entry.amount for line in lines)
        if len(lines) == CSV_BATCH_SIZE:
            return csv_lines(rows), (lines[-1].entry, balance)
        rows.append(_balance_cells("closing balance", month.end, balance))
        return csv_lines(rows), None

    return stream_csv(f"{workspace.slug}-{month}.csv", COLUMNS, batch)


def _balance_cells(kind: str, time: datetime, balance: int) -> tuple[object, ...]:
    return (
        "",
        time.isoformat(timespec="microseconds"),
        kind,
        "",
        balance,
        *[""] * (len(COLUMNS) - 5),
    )


def _line_cells(line: StatementLine) -> tuple[object, ...]:
    entry, turn = line.entry, line.turn
    turn_cells: tuple[object, ...] = ("",) * 7
    if turn is not None:
        turn_cells = (
            turn.conversation_id,
            turn.model_name,
            turn.input_tokens,
            turn.output_tokens,
            turn.credits_per_reply,
            turn.credits_per_1k_input,
            turn.credits_per_1k_output,
        )
    return (
        entry.sequence,
        entry.created_at.isoformat(timespec="microseconds"),
        entry.kind,
        entry.amount,
        entry.balance_after,
        entry.turn_id,
        *turn_cells,
        entry.category,
        entry.reason,
        entry.reference,
        usable_to_iso(entry.expires_at) if entry.expires_at else "",
        entry.reverses_id,
        entry.id,
        entry.hash,
    )
