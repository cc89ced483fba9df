"""Verify the hash chain of a ledger and find the first entry that was tampered with.

Each entry's hash is the SHA-256 of a JSON array: the previous hash ("" for the first), then its
columns in the order of `_COLUMNS`, times in microseconds since 1970. The database trigger
`credits_ledger_is_a_chain` writes the hashes; this module computes them independently.
"""

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
    """The end of a verified chain: the number of entries, the last hash and the sum."""

    sequence: int = 0
    hash: str = ""
    balance: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and the id of the ledger entry or turn that shows it."""

    message: str
    row_id: str = ""


def verify_chain(
    workspace_id: str, *, last: int | None = None, checkpoints: Mapping[int, str] | None = None
) -> tuple[ChainTip, Fault | None]:
    """Verify a workspace's ledger from its first entry, up to the entry number `last` if given.

    Returns the tip of the verified part and the first fault: an entry that is missing or changed,
    whose balance does not follow from the one before, or whose hash differs from an earlier
    nightly check (`checkpoints`: sequence → hash). Entries after a fault are not read.
    """
    tip = ChainTip()
    open_checkpoints = dict(checkpoints or {})
    for row in _rows(workspace_id, last):
        sequence, entry_id, amount = row["sequence"], row["id"], row["amount"]
        number = tip.sequence + 1
        if sequence != number:
            return tip, Fault(f"Entry {number} is missing: {sequence} comes next.", entry_id)
        computed = entry_hash(tip.hash, row)
        if row["hash"] != computed:
            return tip, Fault(f"Entry {number} was changed.", entry_id)
        if row["balance_after"] != tip.balance + amount:
            return tip, Fault(f"Entry {number} does not match the balance before it.", entry_id)
        if open_checkpoints.pop(number, computed) != computed:
            message = (
                f"The chain was recomputed: entry {number} had another hash at the last check."
            )
            return tip, Fault(message, entry_id)
        tip = ChainTip(number, computed, tip.balance + amount)
    expected = max([last or 0, *open_checkpoints])
    if tip.sequence < expected:
        return tip, Fault(f"Entries are missing: {expected} existed, {tip.sequence} are left.")
    return tip, None


def entry_hash(previous_hash: str, entry: Mapping[str, Any]) -> str:
    """Return the hash of an entry that follows the entry with `previous_hash`."""
    values = [previous_hash, *(_to_json(entry[name]) for name in _COLUMNS)]
    return sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def _to_json(value: Any) -> Any:
    return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value


def _rows(workspace_id: str, last: int | None) -> Iterator[Mapping[str, Any]]:
    """Yield the entries in order, read in batches by short queries that take no locks."""
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
