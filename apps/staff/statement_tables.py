"""The tables of a monthly statement in the admin."""

from typing import Any

from apps.reporting.monthly_statements import Statement, StatementLine
from apps.staff.sections import Section, admin_link, format_time


def statement_sections(statement: Statement) -> list[Section]:
    """Return the sections of a statement."""
    return [
        _summary(statement),
        _other_entries(statement),
        _charges_by_model(statement),
        _charges(statement) if statement.charges else _charges_by_day(statement),
    ]


def _summary(statement: Statement) -> Section:
    month = statement.month
    movements = [
        [str(each.kind.label), f"{each.entries:,}", f"{each.credits:+,}"]
        for each in statement.movements
    ]
    return Section(
        title="Summary",
        headers=["", "Entries", "Credits"],
        rows=[
            [f"Opening balance, {month.start:%Y-%m-%d}", "", f"{statement.opening:,}"],
            *movements,
            ["Closing or current balance", "", f"{statement.closing:,}"],
        ],
        empty_text="",
    )


def _other_entries(statement: Statement) -> Section:
    return Section(
        title="Credits added, adjusted and expired",
        headers=["Entry", "Kind", "Reason", "Reference", "Credits", "Balance after"],
        rows=[
            [
                admin_link(line.entry, format_time(line.entry.created_at)),
                line.entry.get_kind_display(),
                line.entry.reason,
                line.entry.reference or "—",
                *_amount_cells(line),
            ]
            for line in statement.others
        ],
        empty_text="No other entries.",
    )


def _charges_by_model(statement: Statement) -> Section:
    return Section(
        title="Charges by model, at time of charge",
        headers=["Model", "Price (credits)", "Turns", "Tokens in", "Tokens out", "Credits"],
        rows=[
            [
                each.model_name,
                str(each.price),
                f"{each.turns:,}",
                f"{each.input_tokens:,}",
                f"{each.output_tokens:,}",
                f"{each.credits:,}",
            ]
            for each in statement.models
        ],
        empty_text="No charges.",
    )


def _charges(statement: Statement) -> Section:
    return Section(
        title="Charges",
        headers=[
            "Entry",
            "Turn",
            "Model",
            "Price (credits)",
            "Tokens",
            "Credits",
            "Balance after",
        ],
        rows=[
            [
                admin_link(line.entry, format_time(line.entry.created_at)),
                *_turn_cells(line),
                *_amount_cells(line),
            ]
            for line in statement.charges
        ],
        empty_text="",
    )


def _charges_by_day(statement: Statement) -> Section:
    return Section(
        title="Charges by day",
        headers=["Day", "Turns", "Credits"],
        rows=[[f"{day.day}", f"{day.turns:,}", f"{day.credits:,}"] for day in statement.days],
        empty_text="No charges.",
    )


def _turn_cells(line: StatementLine) -> list[Any]:
    turn = line.turn
    if turn is None:
        return [line.entry.turn_id, "—", "—", "—"]
    tokens = f"{turn.input_tokens or 0:,} / {turn.output_tokens or 0:,}"
    return [admin_link(turn, turn.pk), turn.model_name, str(turn.price), tokens]


def _amount_cells(line: StatementLine) -> list[str]:
    return [f"{line.entry.amount:+,}", f"{line.entry.balance_after:,}"]
