"""The chain of a ledger, worked out anew: which entry is the first that is not as it was written.

Each entry's hash is the SHA-256 of a JSON array: the hash before it ("" for the first), then its
columns in the order of `_COLUMNS`, times in microseconds since 1970. PostgreSQL writes it (the
trigger `credits_ledger_is_a_chain`); this is the same said on its own, in another language.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from apps.credits.models import LedgerEntry

_BATCH_SIZE = 5000
_COLUMNS = (
    "sequence",
    "id",
    "workspace_id",
    "kind",
    "amount",
    "balance_after",
    "turn_id",
    "reason",
    "created_by_id",
    "created_at",
    "category",
    "reference",
    "expires_at",
    "from_ip",
    "reverses_id",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ChainTip:
    """Where a chain stands: how many entries, the hash of the last, and their sum."""

    sequence: int = 0
    hash: str = ""
    balance: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in a sentence, and the entry or turn that shows it."""

    message: str
    row_id: str = ""


def verify_chain(
    workspace_id: str, *, last: int | None = None, checkpoints: Mapping[int, str] | None = None
) -> tuple[ChainTip, Fault | None]:
    """Read a ledger from its beginning (up to the entry numbered `last`), some thousands at a time.

    Returns where the chain stands, and the first fault: an entry that is missing, that was
    changed, whose balance does not follow, or whose hash is not the one that was noted before
    (`checkpoints`: number → hash). What stands after a fault is not looked at.
    """
    head = ChainTip()
    noted = dict(checkpoints or {})
    for row in _rows(workspace_id, last):
        sequence, entry_id, amount = row["sequence"], row["id"], row["amount"]
        number = head.sequence + 1
        if sequence != number:
            return head, Fault(f"Entry {number} is missing: {sequence} comes next.", entry_id)
        computed = entry_hash(head.hash, row)
        if row["hash"] != computed:
            return head, Fault(f"Entry {number} is not as it was written.", entry_id)
        if row["balance_after"] != head.balance + amount:
            return head, Fault(f"Entry {number} does not follow from the balance before.", entry_id)
        if noted.pop(number, computed) != computed:
            sentence = f"The chain was made anew: entry {number} had another hash when last noted."
            return head, Fault(sentence, entry_id)
        head = ChainTip(number, computed, head.balance + amount)
    missing = max([last or 0, *noted])
    if head.sequence < missing:
        return head, Fault(f"Entries are missing: {missing} were there, {head.sequence} are.")
    return head, None


def entry_hash(before: str, entry: Mapping[str, Any]) -> str:
    """The hash that an entry has behind the one with the hash `before`."""
    form = [before, *(_to_json(entry[name]) for name in _COLUMNS)]
    return sha256(json.dumps(form, ensure_ascii=False).encode()).hexdigest()


def _to_json(value: Any) -> Any:
    return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value


def _rows(workspace_id: str, last: int | None) -> Iterator[Mapping[str, Any]]:
    """The entries in order. Each is read once, by a short query that holds up nobody."""
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id).order_by("sequence", "id")
    if last is not None:
        entries = entries.filter(sequence__lte=last)
    rows = entries.values(*_COLUMNS, "hash")
    after = None
    while True:
        batch = list((rows if after is None else rows.filter(sequence__gt=after))[:_BATCH_SIZE])
        yield from batch
        if len(batch) < _BATCH_SIZE:
            return
        after = batch[-1]["sequence"]
