"""The lines of an adjustment as plain data: from the form, a CSV file or the database."""

from dataclasses import dataclass, fields
from datetime import date, datetime

from apps.adjustments.models import Adjustment
from apps.core.dates import last_usable_day, usable_to


@dataclass(frozen=True, slots=True)
class LineData:
    """The values of an `AdjustmentLine`. Negative `credits` are deducted."""

    workspace_id: str
    credits: int
    category: str
    reason: str
    reference: str = ""
    expires_at: datetime | None = None
    reverses_id: str | None = None
    number: int = 1

    @property
    def last_day(self) -> date | None:
        """The last day (UTC) on which the credits can be used."""
        return last_usable_day(self.expires_at) if self.expires_at else None

    @property
    def usable_to(self) -> str:
        """Until when the credits can be used, in words."""
        return usable_to(self.expires_at) if self.expires_at else "no end"


def lines_for(adjustment: Adjustment) -> list[LineData]:
    """Return the adjustment's lines as they were requested, in their order."""
    columns = [field.name for field in fields(LineData)]
    return [LineData(**row) for row in adjustment.lines.order_by("number").values(*columns)]
