"""Schemas of the credits API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from apps.api_kit.schemas import ResponseSchema
from apps.credits.models import EntryKind, LedgerEntry


class CreditsSchema(ResponseSchema):
    """All credits, and the part of them that running turns hold."""

    balance: int
    held: int


class CreditsAnswer(ResponseSchema):
    success: Literal[True] = True
    data: CreditsSchema


class LedgerEntrySchema(ResponseSchema):
    """A line of the ledger. `credits` are those given, or taken where negative.

    A charge names its turn. `reference` is what it belongs to elsewhere, such as an invoice;
    `expiresAt` is when what is left of the credits given here lapses; `reversesId` names the entry
    that it undoes.
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
        return cls(
            id=entry.id,
            kind=EntryKind(entry.kind),
            credits=entry.amount,
            balance_after=entry.balance_after,
            turn_id=entry.turn_id,
            reason=entry.reason or None,
            reference=entry.reference or None,
            expires_at=entry.expires_at,
            reverses_id=entry.reverses_id,
            created_at=entry.created_at,
        )


class LedgerPageSchema(ResponseSchema):
    entries: list[LedgerEntrySchema]
    next_cursor: str | None
