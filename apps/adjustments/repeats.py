"""Recognise a file of adjustments that was posted before, however it was saved since.

Spreadsheets change bytes, order, empty cells and the leading zeros of numbers. So the whole file
is recognised by the content of its rows, and a row by its workspace, amount and reference.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from unicodedata import normalize

from apps.adjustments.lines import LineData
from apps.adjustments.models import POSTED_STATUSES, Adjustment, AdjustmentLine, Status


@dataclass(frozen=True, slots=True)
class Repeat:
    """An adjustment, posted or awaiting approval, that has some of a file's rows already."""

    adjustment: Adjustment
    rows: Sequence[int]

    def __str__(self) -> str:
        rows = ", ".join(map(str, self.rows[:10])) + (" and more" if len(self.rows) > 10 else "")
        noun = "Row" if len(self.rows) == 1 else "Rows"
        return f"{noun} {rows}: same references and amounts as {self.earlier}."

    @property
    def earlier(self) -> str:
        """When the same was requested, by whom and in which file: "on 3 May 2027, …"."""
        source = f" ({self.adjustment.file_name})" if self.adjustment.file_name else ""
        when = f"{self.adjustment.requested_at:%d %B %Y, %H:%M} UTC"
        return f"on {when} by {self.adjustment.requested_by.email}{source}"


def content_digest(lines: Sequence[LineData]) -> str:
    """The SHA-256 of what the lines say, in any order."""
    rows = sorted(
        repr(
            (
                line.workspace_id,
                line.credits,
                line.category,
                line.reason,
                line.reference,
                line.expires_at and line.expires_at.isoformat(),
            )
        )
        for line in lines
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def find_repeats(lines: Sequence[LineData]) -> list[Repeat]:
    """The adjustments that have lines like these, newest first."""
    rows = {_key(line): line.number for line in lines}
    posted = AdjustmentLine.objects.filter(
        workspace_id__in=[line.workspace_id for line in lines],
        credits__in={line.credits for line in lines},
        reverses__isnull=True,
        adjustment__status__in=[*POSTED_STATUSES, Status.PENDING],
    ).select_related("adjustment__requested_by")
    found: dict[Adjustment, list[int]] = defaultdict(list)
    for line in posted.order_by("-adjustment__requested_at"):
        if (number := rows.get(_key(line))) is not None:
            found[line.adjustment].append(number)
    return [Repeat(adjustment, sorted(numbers)) for adjustment, numbers in found.items()]


def _key(line: LineData | AdjustmentLine) -> Hashable:
    """What a line is recognised by: without a reference, by its reason."""
    text = normalize("NFKC", line.reference or line.reason).casefold()
    words = tuple(word.lstrip("0") for word in text.split())
    return line.workspace_id, line.credits, bool(line.reference), words
