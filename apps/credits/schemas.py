"""Schemas of the credits API."""

from datetime import datetime
from typing import Self

from apps.api_kit.schemas import ResponseSchema
from apps.credits.models import EntryKind, LedgerEntry


class CreditsSchema(ResponseSchema):
    """All credits, and the part of them that running turns hold."""

    balance: int
    held: int


class LedgerEntrySchema(ResponseSchema):
    """One change of the balance. `credits` are added, or deducted where negative.

    `turnId` names the turn of a charge. `reference` is an external reference, such as an invoice,
    or the id of the source or knowledge base that was embedded.
    `expiresAt` is when the unused part of these credits expires. `reversesId` names the entry that
    this one reverses.
    """

    id: str
    kind: EntryKind
    credits: int
    balance_after: int
    turn_id: str | None
    reason: str | None
    reference: str | None
    expires_at: datetime | None
    reverses_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, entry: LedgerEntry) -> Self:
        return cls.from_row(
            entry,
            credits=entry.amount,
            reason=entry.reason or None,
            reference=entry.reference or None,
        )


class LedgerPageSchema(ResponseSchema):
    entries: list[LedgerEntrySchema]
    next_cursor: str | None
